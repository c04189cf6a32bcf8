"""Rows of cells to a Markdown table; the first row names the columns."""

from __future__ import annotations

from collections.abc import Sequence

from shoald.adapters.document_loaders.reading import clean


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, pipe: str = "\\|") -> str:
    r"""Return the table, every row as wide as the widest; `pipe` stands for a pipe within a cell.

    >>> print(markdown_table(["a", "b|c"], [["1\n2"]]))
    | a | b\|c |
    | --- | --- |
    | 1<br>2 |  |
    """
    width = max(len(header), *map(len, rows)) if rows else len(header)
    lines = [
        _line(header, width, pipe),
        "|" + " --- |" * width,
        *(_line(row, width, pipe) for row in rows),
    ]
    return clean("\n".join(lines))


def _line(row: Sequence[str], width: int, pipe: str) -> str:
    cells = [_cell(cell, pipe) for cell in row] + [""] * (width - len(row))
    return "| " + " | ".join(cells) + " |"


def _cell(text: str, pipe: str) -> str:
    text = text.strip().replace("|", pipe)
    return text.replace("\r\n", "<br>").replace("\n", "<br>").replace("\r", "<br>")
