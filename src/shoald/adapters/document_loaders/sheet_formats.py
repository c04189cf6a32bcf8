"""Which number format each cell of an XLSX sheet has, and which error it shows.

The sheet's XML is read as text, since only a few words of a cell count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from shoald.adapters.document_loaders.archives import Package, attribute, child, children, refusing_damage
from shoald.adapters.document_loaders.number_formats import BUILT_IN

BLOCK_BYTES = 256 * 1024
LONGEST_TAG = 4096
_CELL = re.compile(rb"<(?:\w+:)?c\s([^<>]*)>")
_ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\s([^<>]*\bt=["']e["'][^<>]*)>""")
_IS_ERROR = re.compile(rb"""\bt=["']e["']""")
_ERROR = re.compile(rb"(?:<(?:\w+:)?f[^<>]*(?:/>|>[^<>]*</(?:\w+:)?f>))?<(?:\w+:)?v>\s*(#[^<>]{1,30})</")
_CELL_END = re.compile(rb"</(?:\w+:)?c>")
LONGEST_FORMULA = 64 * 1024
_REFERENCE = re.compile(rb"""\br=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_STYLE = re.compile(rb"""\bs=["']([0-9]{1,6})["']""")


class CellForm(NamedTuple):
    """How a cell is shown: by a number format, empty for none, or as an error such as `#N/A`, empty for none."""

    code: str = ""
    error: str = ""


PLAIN = CellForm()
Formats = dict[int, CellForm]
"""Forms of cells by column, from 0; those that have nothing special are left out."""


class SheetFormats:
    """The formats and errors of a workbook's sheets."""

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
        """Yield (row from 0, forms of its cells) in the order of the file, for the rows that have any."""
        part = self._sheets.get(name)
        opened = self._package.open(part) if part else None
        if opened is None:
            return
        row, formats = -1, Formats()
        for column, number, form in self._cells(opened, str(part)):
            if number != row:
                if formats:
                    yield row, formats
                row, formats = number, {}
            formats[column] = form
        if formats:
            yield row, formats

    def _cells(self, opened: BinaryIO, part: str) -> Iterator[tuple[int, int, CellForm]]:
        cell = _CELL if self._codes else _ERROR_CELL
        rest = b""
        while block := _block(opened, part):
            text = rest + block
            kept = max(0, len(text) - LONGEST_TAG)
            for match in cell.finditer(text):
                form = self._form(match, text)
                if form is None:  # its error stands in the next block
                    kept = match.start()
                    break
                kept = max(kept, match.end())
                place = _REFERENCE.search(match.group(1)) if any(form) else None
                if place:
                    yield _column(place.group(1)), int(place.group(2)) - 1, form
            rest = text[kept:]

    def _form(self, cell: re.Match[bytes], text: bytes) -> CellForm | None:
        """Return how a cell is shown, None where that is told behind the end of the text."""
        if _IS_ERROR.search(cell.group(1)):
            error = _ERROR.match(text, cell.end())
            if error is not None:
                return CellForm(error=error.group(1).decode("utf-8", "replace").strip())
            is_whole = cell.group(1).endswith(b"/") or _CELL_END.search(text, cell.end()) is not None
            return CellForm() if is_whole or len(text) - cell.end() > LONGEST_FORMULA else None
        style = _STYLE.search(cell.group(1)) if self._codes else None
        return CellForm(code=self._codes.get(int(style.group(1)), "") if style else "")

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


def _block(opened: BinaryIO, part: str) -> bytes:
    with refusing_damage(part):
        return opened.read(BLOCK_BYTES)


def _column(letters: bytes) -> int:
    """Return the number of a column, from 0.

    >>> _column(b"A"), _column(b"AB")
    (0, 27)
    """
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number - 1
