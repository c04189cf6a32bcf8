"""Workbooks to one Markdown table per sheet, with numbers and dates as people see them; merged cells are filled.

XLSX, XLS, XLSB and ODS; the formats of numbers and errors such as `#N/A` are those of XLSX, in the others numbers stand
as they are and errors are empty. Sheets with nothing in them give nothing; a long one is parted, each part with the
header.
"""

from __future__ import annotations

from collections.abc import Iterator

import python_calamine

from shoald.adapters.document_loaders.archives import Package
from shoald.adapters.document_loaders.file_kinds import HEAD_BYTES, kind_of
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.number_formats import shown
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import UnusableFile
from shoald.adapters.document_loaders.sheet_formats import PLAIN, CellForm, Formats, SheetFormats
from shoald.adapters.document_loaders.tables import markdown_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, BinaryIO

    Sheet = python_calamine.CalamineSheet
    Row = tuple[int, list[str]]
    """The number of a row as the sheet shows it, and its cells."""

ROWS_OF_A_PART = 5_000
MAX_ROWS = 1_048_576
MAX_CELLS_OF_A_PART = 200_000
MAX_MERGED_CELLS = 1_000_000
_OLE = b"\xd0\xcf\x11\xe0"


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the tables, hidden sheets too; raises `UnusableFile`."""
    check_names(params, ())
    formats = _formats(file)
    book = _opened(file)
    kinds = [sheet.typ for sheet in book.sheets_metadata]
    for index, name in enumerate(book.sheet_names):
        if kinds[index] != python_calamine.SheetTypeEnum.WorkSheet:
            continue
        try:
            sheet = book.get_sheet_by_index(index)
        except (python_calamine.CalamineError, python_calamine.XmlError) as error:
            raise UnusableFile(f"the sheet {name!r} cannot be read: {error}"[:400]) from None
        metadata = {"source": source, "sheet_name": name, "sheet_index": index}
        yield from _tables(_rows(sheet, formats.by_row(name) if formats else iter(())), metadata)


def _formats(file: BinaryIO) -> SheetFormats | None:
    """Return the number formats of an XLSX file; for the other kinds there are none. Checks archives for bombs."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head.startswith(_OLE):
        return None
    if not head.startswith(b"PK"):
        kind = kind_of(head) or "something else: CSV files are for the loaders csv and table"
        raise UnusableFile(f"the file is no Excel file: it is {kind}")
    package = Package(file, "Excel")
    return SheetFormats(package) if "xl/workbook.xml" in package.names() else None


def _opened(file: BinaryIO) -> python_calamine.CalamineWorkbook:
    file.seek(0)
    try:
        return python_calamine.CalamineWorkbook.from_filelike(file)
    except python_calamine.PasswordError:
        raise UnusableFile("the workbook is protected by a password: save it anew without one") from None
    except (python_calamine.CalamineError, python_calamine.ZipError, python_calamine.XmlError, OSError) as error:
        raise UnusableFile(f"the file is no Excel workbook that can be read: {error}"[:400]) from None


def _rows(sheet: Sheet, formats: Iterator[tuple[int, Formats]]) -> Iterator[Row]:
    """Yield the rows that hold anything, without the empty columns on the left."""
    left = sheet.start[1] if sheet.start else 0
    merged = _merged(sheet)
    held: dict[tuple[int, int], str] = {}
    row_of_formats, codes = next(formats, (MAX_ROWS, Formats()))
    for number, values in enumerate(sheet.iter_rows()):
        while row_of_formats < number:
            row_of_formats, codes = next(formats, (MAX_ROWS, Formats()))
        of_row = codes if row_of_formats == number else {}
        cells = [_shown(value, of_row.get(left + at, PLAIN)) for at, value in enumerate(values)]
        for column, origin in merged.get(number, ()):
            if 0 <= column - left < len(cells):
                cells[column - left] = held.setdefault(origin, cells[column - left])
        if any(cell and not cell.isspace() for cell in cells):
            yield number + 1, cells


def _shown(value: object, form: CellForm) -> str:
    return form.error if value == "" else shown(value, form.code or None)


def _merged(sheet: Sheet) -> dict[int, list[tuple[int, tuple[int, int]]]]:
    """Return, by row, the columns of merged cells and where each has its value."""
    found: dict[int, list[tuple[int, tuple[int, int]]]] = {}
    count = 0
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        # a title that is merged over whole columns needs no more rows than there are
        last_row, last_column = (min(bottom, sheet.end[0]), min(right, sheet.end[1])) if sheet.end else (top, left)
        count += max(0, last_row - top + 1) * max(0, last_column - left + 1)
        if count > MAX_MERGED_CELLS:
            raise UnusableFile(f"the sheet {sheet.name!r} has more than {MAX_MERGED_CELLS:,} merged cells")
        for row in range(top, last_row + 1):
            found.setdefault(row, []).extend((column, (top, left)) for column in range(left, last_column + 1))
    return found


def _tables(rows: Iterator[Row], metadata: dict[str, Any]) -> Iterator[Item]:
    header = next(rows, None)
    if header is None:
        return
    size = max(1, min(ROWS_OF_A_PART, MAX_CELLS_OF_A_PART // max(len(header[1]), 1)))
    part: list[Row] = []
    index = 0
    for row in rows:
        if len(part) == size:
            yield _table(header, part, metadata, index)
            part, index = [], index + 1
        part.append(row)
    yield _table(header, part, metadata, index)


def _table(header: Row, rows: Sequence[Row], metadata: dict[str, Any], index: int) -> Item:
    places = {
        "row_count": len(rows),
        "chunk_index": index,
        "row_start": rows[0][0] if rows and index else header[0],
        "row_end": rows[-1][0] if rows else header[0],
    }
    return Item(markdown_table(header[1], [cells for _, cells in rows]), metadata | places, "table", "markdown")
