"""CSV to one Markdown table per block of rows; no cell is retyped.

Delimiter and encoding are found out; the file is read row by row, so its size does not matter.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from shoald.adapters.document_loaders.reading import (
    SAMPLE_BYTES,
    UnusableFile,
    check_is_text,
    check_names,
    clean,
    encoding_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    from shoald.adapters.document_loaders.reading import Item

DEFAULT_ROWS = 100
MAX_ROWS = 100_000
MAX_CELL_CHARACTERS = 16 * 1024 * 1024
MAX_COLUMNS = 16_384
MAX_LINE_CHARACTERS = 64 * 1024 * 1024
SAMPLE_ROWS = 50
DELIMITERS = ",;\t|"


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the tables; the first row names the columns. Raises `UnusableFile`."""
    check_names(params, ("chunk_size",))
    size = _rows_per_table(params.get("chunk_size"))
    rows = _rows(file)
    header = next(rows, None)
    if header is None:
        return
    for index, block in enumerate(iter(lambda: list(islice(rows, size)), [])):
        metadata = {"source": source, "row_count": len(block), "chunk_index": index}
        yield _table(header, block), metadata, "table", "markdown"


def _rows_per_table(value: Any) -> int:
    if value is None:
        return DEFAULT_ROWS
    try:
        size = int(value)
    except (TypeError, ValueError, OverflowError):
        size = 0
    if isinstance(value, bool) or (isinstance(value, float) and value != size) or not 1 <= size <= MAX_ROWS:
        raise UnusableFile(f"loader_params.chunk_size must be a whole number from 1 to {MAX_ROWS}: the rows per table")
    return size


def _rows(file: BinaryIO) -> Iterator[list[str]]:
    """Yield the rows that hold anything."""
    encoding = encoding_of(file)
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    reader = csv.reader(_lines(file, encoding), delimiter=_delimiter(file, encoding))
    try:
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise UnusableFile(f"line {reader.line_num} has {len(row):,} columns; {MAX_COLUMNS:,} are allowed")
            if any(cell and not cell.isspace() for cell in row):
                yield row
    except csv.Error as error:
        raise UnusableFile(f"the file cannot be read as CSV at line {reader.line_num}: {error}") from None


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Yield lines with their ends, which csv needs to keep line breaks within quotes."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, newline="")
    try:
        while line := text.readline(MAX_LINE_CHARACTERS):
            if len(line) == MAX_LINE_CHARACTERS:
                raise UnusableFile(f"a line is longer than {MAX_LINE_CHARACTERS:,} characters")
            yield line.replace("\0", "")
    finally:
        text.detach()


def _delimiter(file: BinaryIO, encoding: str) -> str:
    """Return the delimiter that cuts most rows of a sample into equally many cells, more than one."""
    file.seek(0)
    sample = file.read(SAMPLE_BYTES).decode(encoding, "ignore")
    check_is_text(sample)
    lines = list(io.StringIO(sample.replace("\0", ""), newline=""))
    if len(lines) > 1 and file.tell() == SAMPLE_BYTES:
        lines.pop()
    return max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter))


def _fit(lines: list[str], delimiter: str) -> tuple[float, int]:
    try:
        widths = [len(row) for row in islice(csv.reader(lines, delimiter=delimiter), SAMPLE_ROWS) if row]
    except csv.Error:
        return 0.0, 0
    if not widths or widths[0] == 1:
        return 0.0, 0
    usual = max(set(widths), key=lambda width: (widths.count(width), width))
    return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)


def _table(header: list[str], rows: list[list[str]]) -> str:
    width = max(len(header), *map(len, rows))
    lines = [_line(header, width), "|" + " --- |" * width, *(_line(row, width) for row in rows)]
    return clean("\n".join(lines))


def _line(row: list[str], width: int) -> str:
    cells = [_cell(cell) for cell in row] + [""] * (width - len(row))
    return "| " + " | ".join(cells) + " |"


def _cell(text: str) -> str:
    text = text.strip().replace("|", "\\|")
    return text.replace("\r\n", "<br>").replace("\n", "<br>").replace("\r", "<br>")
