"""Which number format each cell of an XLSX sheet has.

The sheet's XML is read as text, since only two words of a cell count. Sheets without formats worth knowing are not read
at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from shoald.adapters.document_loaders.archives import Package, attribute, child, children
from shoald.adapters.document_loaders.number_formats import BUILT_IN

BLOCK_BYTES = 256 * 1024
LONGEST_TAG = 4096
_CELL = re.compile(rb"<(?:\w+:)?c\s([^<>]*)>")
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_STYLE = re.compile(rb"""\bs=["']([0-9]{1,6})["']""")

Formats = dict[int, str]
"""Number formats by column, from 0."""


class SheetFormats:
    """The formats of a workbook's sheets."""

    def __init__(self, package: Package) -> None:
        self._package = package
        workbook = package.main_part("xl/workbook.xml")
        self._relations = package.relations(workbook)
        self._sheets = {
            attribute(sheet, "name"): self._relations.get(attribute(sheet, "id") or "", ("", ""))[1]
            for sheet in children(child(package.required_xml(workbook), "sheets"), "sheet")
        }
        self._codes = self._read_codes()

    def by_row(self, name: str) -> Iterator[tuple[int, Formats]]:
        """Yield (row from 0, formats of its cells) in the order of the file, for the rows that have any."""
        part = self._sheets.get(name)
        opened = self._package.open(part) if part and self._codes else None
        if opened is None:
            return
        row, formats = -1, Formats()
        for column, number, code in self._cells(opened):
            if number != row:
                if formats:
                    yield row, formats
                row, formats = number, {}
            formats[column] = code
        if formats:
            yield row, formats

    def _cells(self, opened: object) -> Iterator[tuple[int, int, str]]:
        rest = b""
        while block := opened.read(BLOCK_BYTES):  # type: ignore[attr-defined] # a part of a ZIP archive
            text = rest + block
            end = 0
            for match in _CELL.finditer(text):
                end = match.end()
                style = _STYLE.search(match.group(1))
                code = self._codes.get(int(style.group(1))) if style else None
                place = _REFERENCE.search(match.group(1)) if code else None
                if place and code:
                    yield _column(place.group(1)), int(place.group(2)) - 1, code
            rest = text[max(end, len(text) - LONGEST_TAG) :]

    def _read_codes(self) -> dict[int, str]:
        """Return the codes by the number of a cell's style; those that show nothing special are left out."""
        part = next((part for kind, part in self._relations.values() if kind == "styles"), "")
        root = self._package.xml(part) if part else None
        named = {
            attribute(one, "numFmtId"): attribute(one, "formatCode") or "" for one in children(child(root, "numFmts"))
        }
        codes = {}
        for number, style in enumerate(children(child(root, "cellXfs"), "xf")):
            key = attribute(style, "numFmtId") or "0"
            code = named.get(key) or (BUILT_IN.get(int(key)) if key.isdecimal() else None)
            if code and code.lower() != "general":
                codes[number] = code
        return codes


def _column(letters: bytes) -> int:
    """Return the number of a column, from 0.

    >>> _column(b"A"), _column(b"AB")
    (0, 27)
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
