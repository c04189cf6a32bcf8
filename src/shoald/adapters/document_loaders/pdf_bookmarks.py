"""The bookmarks of a PDF file: under which titles each page stands."""

from __future__ import annotations

from itertools import islice

import pypdfium2

from shoald.adapters.document_loaders.reading import clean

MAX_BOOKMARKS = 10_000
MAX_DEPTH = 10


class Bookmarks:
    """The titles in force, page by page; ask for the pages in order."""

    def __init__(self, document: pypdfium2.PdfDocument) -> None:
        self._pending = sorted(_read(document), key=lambda mark: mark[0])
        self._pending.reverse()
        self._titles: list[str] = []

    def at(self, number: int) -> tuple[str, ...]:
        """Return the titles above what a page (from 0) ends with, outermost first."""
        while self._pending and self._pending[-1][0] <= number:
            _, level, title = self._pending.pop()
            del self._titles[level:]
            self._titles.append(title)
        return tuple(self._titles)


def _read(document: pypdfium2.PdfDocument) -> list[tuple[int, int, str]]:
    """Return (page, level from 0, title) in the order of the file; what names no page of it is left out."""
    marks = []
    for mark in islice(document.get_toc(max_depth=MAX_DEPTH), MAX_BOOKMARKS):
        try:
            target, title = mark.get_dest(), " ".join(clean(mark.get_title()).split())
            number = target.get_index() if target else None
        except (pypdfium2.PdfiumError, UnicodeDecodeError):
            continue
        if number is not None and number >= 0 and title:
            marks.append((number, mark.level, title))
    return marks
