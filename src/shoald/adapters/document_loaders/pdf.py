"""PDF files to one text segment per page, with tables and pictures as segments of their own.

Level and path are those of the file's bookmarks. A page without text is not passed over in silence: it gives a segment
whose metadata has a `warning`. The backend `pdfium` (the default) reads text with PDFium, and looks for tables on pages
where lines are drawn as in a table; `pdfplumber` reads everything with pdfplumber, a hundred times slower. `poppler`,
which clients of other servers name as the usual one, is taken for the default.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pypdfium2

from shoald.adapters.document_loaders.file_kinds import HEAD_BYTES, kind_of
from shoald.adapters.document_loaders.items import Item, picture_of
from shoald.adapters.document_loaders.params import check_names, one_of
from shoald.adapters.document_loaders.pdf_bookmarks import Bookmarks
from shoald.adapters.document_loaders.pdf_lines import has_grid
from shoald.adapters.document_loaders.pdf_pictures import pictures
from shoald.adapters.document_loaders.pdf_tables import PageTables, Tables
from shoald.adapters.document_loaders.pdf_text import page_text
from shoald.adapters.document_loaders.reading import UnusableFile, clean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

BACKENDS = ("pdfium", "pdfplumber", "poppler")
HEADER_WITHIN = 1024
"""Where `%PDF-` may stand: mail systems put a few lines before it."""
NO_TEXT = "this page has no text"
A_PICTURE = "this page is a picture without text, a scan perhaps: it needs text recognition before it can be searched"


@dataclass(slots=True)
class _Reading:
    """One file on its way."""

    document: pypdfium2.PdfDocument
    tables: Tables
    source: str
    is_plumber: bool
    readable_pages: int = 0
    seen_pictures: set[str] = field(default_factory=set)


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the pages; raises `UnusableFile`."""
    check_names(params, ("backend",))
    backend = one_of(params, "backend", BACKENDS)
    document = _opened(file)
    reading = _Reading(document, Tables(file), source, backend == "pdfplumber")
    bookmarks = Bookmarks(document)
    for number in range(len(document)):
        path = bookmarks.at(number)
        for item in _page(reading, number):
            yield item._replace(level=len(path), path=path)
    if reading.readable_pages == 0:
        raise UnusableFile("the PDF file is damaged: none of its pages can be read")


def _opened(file: BinaryIO) -> pypdfium2.PdfDocument:
    file.seek(0)
    head = file.read(HEADER_WITHIN)
    if b"%PDF-" not in head:
        raise UnusableFile(
            f"the file is no PDF file: it is {kind_of(head[:HEAD_BYTES]) or 'something else, or damaged'}"
        )
    file.seek(0)
    try:
        return pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise UnusableFile("the file is protected by a password: save it anew without one") from None
        raise UnusableFile(f"the PDF file is damaged: {error}"[:400]) from None


def _page(reading: _Reading, number: int) -> Iterator[Item]:
    metadata = {"source": reading.source, "page": number + 1}
    try:
        page = reading.document[number]
    except pypdfium2.PdfiumError as error:
        yield Item("", metadata | {"warning": f"this page cannot be read: {error}"[:400]}, "other")
        return
    reading.readable_pages += 1
    try:
        found = PageTables()
        if reading.is_plumber or has_grid(page):
            found = reading.tables.of_page(number)
        text = found.text if reading.is_plumber and not found.warning else page_text(page, found.boxes)
        parts = [*_tables(found, metadata), *_pictures(reading, page, metadata)]
        yield from _told(clean(text).strip(), parts, metadata | found.warning)
    finally:
        page.close()


def _told(text: str, parts: list[Item], metadata: dict[str, Any]) -> Iterator[Item]:
    """Yield the text, then the parts; a page without any text says so on its first picture, or on its own."""
    if text:
        yield Item(text, metadata)
    elif not any(part.type == "table" for part in parts):
        warning = A_PICTURE if parts else NO_TEXT
        first = parts.pop(0) if parts else Item("", dict(metadata), "other")
        yield first._replace(metadata=metadata | first.metadata | {"warning": warning})
    yield from parts


def _tables(found: PageTables, metadata: dict[str, Any]) -> Iterator[Item]:
    for index, (content, row_count) in enumerate(found.tables):
        yield Item(content, metadata | {"table_index": index, "row_count": row_count}, "table", "markdown")


def _pictures(reading: _Reading, page: pypdfium2.PdfPage, metadata: dict[str, Any]) -> Iterator[Item]:
    for index, (data, width, height) in enumerate(pictures(page)):
        # a letterhead is on every page
        digest = hashlib.sha256(data).hexdigest()
        if digest in reading.seen_pictures:
            continue
        reading.seen_pictures.add(digest)
        size = {"picture_index": index, "width": width, "height": height}
        yield Item("", metadata | size, "image", picture=picture_of(data))
