"""Tables of PDF pages, found by the lines that are drawn around cells, or above and below rows."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pdfplumber

from shoald.adapters.document_loaders.pdf_ruled_tables import ruled_tables
from shoald.adapters.document_loaders.pdf_text import Box
from shoald.adapters.document_loaders.tables import markdown_table

MAX_LINES = 20_000
"""A drawing with more lines is no table, and looking for crossings takes their square."""
MOST_SECONDS = 30.0
"""Processor time for the tables of a file; a page takes a quarter of a second, so this is some hundred pages."""
TOO_LONG = "tables were not looked for on this page: the file has too many pages with lines"
LEAST = 2
"""Rows and columns; less is a frame around text."""


@dataclass(slots=True)
class PageTables:
    """The tables of a page as (Markdown, rows below the header), where they stand, and the page's text beside them."""

    tables: list[tuple[str, int]] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    text: str = ""
    warning: dict[str, str] = field(default_factory=dict)

    def add(self, rows: list[list[str]], boxes: list[Box]) -> None:
        """Take a table with its header first, and the box that it stands in, if that is known."""
        self.tables.append((markdown_table(rows[0], rows[1:]), len(rows) - 1))
        self.boxes += boxes


class Tables:
    """Looks for tables in one file, which is opened a second time at the first page that may have any."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._document: Any = None
        self._seconds = 0.0

    def of_page(self, number: int) -> PageTables:
        """Return what is on a page (from 0), as long as the file has not taken too much time for this."""
        if self._seconds > MOST_SECONDS:
            return PageTables(warning={"warning": TOO_LONG})
        began = time.process_time()
        try:
            return self._on_page(number)
        finally:
            self._seconds += time.process_time() - began

    def _on_page(self, number: int) -> PageTables:
        try:
            if self._document is None:
                self._document = pdfplumber.open(self._file)  # type: ignore[arg-type] # any file that can seek will do
            page = self._document.pages[number]
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the library raises whatever a damaged file leads to
            return PageTables(warning=_unread(error))
        try:
            return _read(page)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the same
            return PageTables(warning=_unread(error))
        finally:
            page.close()


def _read(page: Any) -> PageTables:
    found = PageTables()
    if sum(map(len, page.objects.values())) - len(page.chars) <= MAX_LINES:
        for table in page.find_tables():
            rows = [[cell or "" for cell in row] for row in table.extract()]
            if _is_table(rows):
                found.add(rows, _box(page, table.bbox))
        # a page has one kind or the other: the lines of a grid are rules, too
        if not found.tables:
            for bbox, rows in ruled_tables(page):
                found.add(rows, _box(page, bbox))
    outside = page
    for _, bottom, _, top in found.boxes:
        height = float(page.height)
        outside = outside.filter(lambda char, a=height - top, b=height - bottom: not _is_between(char, a, b))
    found.text = outside.extract_text() or ""
    return found


def _is_table(rows: list[list[str]]) -> bool:
    width = max(map(len, rows), default=0)
    return len(rows) >= LEAST and width >= LEAST and any(cell.strip() for row in rows for cell in row)


def _is_between(char: dict[str, Any], top: float, bottom: float) -> bool:
    return char.get("object_type") == "char" and top <= (char["top"] + char["bottom"]) / 2 <= bottom


def _box(page: Any, bbox: tuple[float, float, float, float]) -> list[Box]:
    """Return the box in PDFium's measure; pages that are turned or cut have another, and their text is kept whole."""
    if page.rotation or tuple(page.mediabox[:2]) != (0, 0) or tuple(page.cropbox) != tuple(page.mediabox):
        return []
    left, top, right, bottom = bbox
    height = float(page.height)
    return [(left, height - bottom, right, height - top)]


def _unread(error: Exception) -> dict[str, str]:
    return {"warning": f"tables of this page could not be read: {type(error).__name__}"}
