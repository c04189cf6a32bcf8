"""Rows of a delimited text file: delimiter and encoding are found out, nothing is retyped, memory is flat."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO, NamedTuple

from shoald.adapters.document_loaders.reading import SAMPLE_BYTES, UnusableFile, check_is_text, encoding_of

MAX_CELL_CHARACTERS = 16 * 1024 * 1024
MAX_COLUMNS = 16_384
MAX_LINE_CHARACTERS = 64 * 1024 * 1024
SAMPLE_ROWS = 50
DELIMITERS = ",;\t|"
_NONE = "\0"  # no line has one
_TABLE_CELLS = 3
# a first line of Excel's, which is no row; "sep=;" in quotes too
_TOLD = re.compile(r'"?sep=([^\r\n"])"?\r?\n?', re.IGNORECASE)


class Row(NamedTuple):
    """The cells of a record, and which characters of the file it is."""

    cells: list[str]
    start: int
    end: int


def rows(file: BinaryIO) -> Iterator[Row]:
    """Yield the rows that hold anything; raises `UnusableFile`.

    A first row of one cell means that there is one column, and lines are not cut: `Paris, France` is one cell. Only
    when all rows below are cut into equally many cells, three or more, is it a title above a table.
    """
    encoding = encoding_of(file)
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    sample = _sample(file, encoding)
    told = _TOLD.fullmatch(sample[0]) if sample else None
    lines = _Lines(file, encoding)
    reader = csv.reader(lines, delimiter=told.group(1) if told else _delimiter(sample))
    try:
        if told:
            next(reader)
        start = lines.passed
        for row in reader:
            if len(row) > MAX_COLUMNS:
                raise UnusableFile(f"line {reader.line_num} has {len(row):,} columns; {MAX_COLUMNS:,} are allowed")
            if any(cell and not cell.isspace() for cell in row):
                yield Row(row, start, lines.passed)
            start = lines.passed
    except csv.Error as error:
        raise UnusableFile(f"the file cannot be read as CSV at line {reader.line_num}: {error}") from None


class _Lines:
    """Lines with their ends, which csv needs to keep line breaks within quotes, and how many characters they were."""

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self.passed = 0

    def __iter__(self) -> Iterator[str]:
        self._file.seek(0)
        text = io.TextIOWrapper(self._file, encoding=self._encoding, newline="")
        try:
            while line := text.readline(MAX_LINE_CHARACTERS):
                if len(line) == MAX_LINE_CHARACTERS:
                    raise UnusableFile(f"a line is longer than {MAX_LINE_CHARACTERS:,} characters")
                self.passed += len(line)
                yield line.replace("\0", "")
        finally:
            text.detach()


def _sample(file: BinaryIO, encoding: str) -> list[str]:
    """Return the first lines with their ends; raises `UnusableFile` for what is no text."""
    file.seek(0)
    sample = file.read(SAMPLE_BYTES).decode(encoding, "ignore")
    check_is_text(sample)
    lines = list(io.StringIO(sample.replace("\0", ""), newline=""))
    if len(lines) > 1 and file.tell() == SAMPLE_BYTES:
        lines.pop()
    return lines


def _delimiter(lines: list[str]) -> str:
    """Return the delimiter that cuts most rows of a sample into equally many cells, more than one."""
    widths = {delimiter: _widths(lines, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: _fit(widths[delimiter]))
    if _fit(widths[best])[1]:
        return best
    return next((delimiter for delimiter in DELIMITERS if _is_below_title(widths[delimiter])), _NONE)


def _widths(lines: list[str], delimiter: str) -> list[int]:
    """Return the number of cells of each of the first rows."""
    try:
        return [len(row) for row in islice(csv.reader(lines, delimiter=delimiter), SAMPLE_ROWS) if row]
    except csv.Error:
        return []


def _is_below_title(widths: list[int]) -> bool:
    below = set(widths[1:])
    return len(widths) > 2 and len(below) == 1 and min(below) >= _TABLE_CELLS  # noqa: PLR2004 - a title and two rows


def _fit(widths: list[int]) -> tuple[float, int]:
    if not widths or widths[0] == 1:
        return 0.0, 0
    usual = max(set(widths), key=lambda width: (widths.count(width), width))
    return (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)
