"""Takes the tables of a Markdown text apart from the text between them; what stands in a code fence is no table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shoald.domain.chunking.parameters import check_names
from shoald.domain.chunking.spans import Chunker, Span, TableSpan
from shoald.domain.json_types import JsonObject

# GitHub Flavored Markdown: tables (extension) 4.10, fenced code blocks 4.5
_DELIMITER = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*\Z)|~{3,})")
_PIPE = re.compile(r"(?<!\\)(?:\\\\)*\|")
_BLOCK = re.compile(r" {0,3}(?:[>#]|`{3}|~{3})")
_INDENTED = "    "


def markdown_table_chunker(params: JsonObject) -> Chunker:
    """Return the chunker, which has no parameters; raises `InvalidChunkerParams` for any."""
    check_names(params, ())
    return markdown_table_spans


def markdown_table_spans(text: str) -> Iterator[Span]:
    r"""Yield each table as a `TableSpan`, and what stands between two of them, without blank lines around it.

    >>> text = "Prices\n\n| a | b |\n|---|---|\n| 1 | 2 |\nThe end"
    >>> [(type(span).__name__, text[span[0] : span[1]]) for span in markdown_table_spans(text)]
    [('tuple', 'Prices'), ('TableSpan', '| a | b |\n|---|---|\n| 1 | 2 |'), ('tuple', 'The end')]
    """
    done = 0
    for table in _tables(_lines(text)):
        yield from _between(text, done, table[0])
        yield TableSpan(table)
        done = table[1]
    yield from _between(text, done, len(text))


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def _lines(text: str) -> list[_Line]:
    lines, start = [], 0
    for line in text.split("\n"):
        lines.append(_Line(line.removesuffix("\r"), start))
        start += len(line) + 1
    return lines


def _between(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield what is left between two tables; the first line keeps its indentation, which means something."""
    piece = text[start:end]
    blank = len(piece) - len(piece.lstrip())
    if blank < len(piece):
        yield start + piece.rfind("\n", 0, blank) + 1, start + len(piece.rstrip())


def _tables(lines: list[_Line]) -> Iterator[Span]:
    at, fence = 0, ""
    while at < len(lines):
        if fence or _FENCE.match(lines[at].text):
            fence = _fence_after(lines[at].text, fence)
            at += 1
        elif _begins_table(lines, at):
            first, at = at, _table_end(lines, at)
            yield lines[first].start, lines[at - 1].end
        else:
            at += 1


def _fence_after(line: str, fence: str) -> str:
    """Return the fence that is open after a line: a new one, none when the line closes it, else the same."""
    found = _FENCE.match(line)
    if not fence:
        return found[1] if found else ""
    closes = found is not None and found[1].startswith(fence) and not line[found.end() :].strip()
    return "" if closes else fence


def _begins_table(lines: list[_Line], at: int) -> bool:
    if at + 1 == len(lines) or "|" not in lines[at].text or lines[at].text.startswith(_INDENTED):
        return False
    delimiter = lines[at + 1].text
    return _DELIMITER.fullmatch(delimiter) is not None and _cells(lines[at].text) == _cells(delimiter)


def _table_end(lines: list[_Line], at: int) -> int:
    """Return the line after a table's last row: rows end with a line that has no pipe or begins another block."""
    at += 2
    while at < len(lines) and _PIPE.search(lines[at].text) and not _BLOCK.match(lines[at].text):
        at += 1
    return at


def _cells(line: str) -> int:
    inner = line.strip()
    pipes = len(_PIPE.findall(inner))
    ends_with_pipe = inner.endswith("|") and not inner.endswith("\\|")
    return pipes + 1 - inner.startswith("|") - ends_with_pipe
