"""The cells of an HTML table as they come, to rows in which a spanning cell stands in each place that it covers."""

from __future__ import annotations

from shoald.adapters.document_loaders.reading import UnusableFile

MAX_COLUMNS = 1000
MAX_SPAN = 1000
MAX_CELLS = 2_000_000


class TableGrid:
    """A table under way."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []
        self._words: list[str] = []
        self._caption: list[str] = []
        self._spans: tuple[int, int] | None = None
        # by column: (rows still covered, text)
        self._from_above: dict[int, tuple[int, str]] = {}
        self._cells = 0

    def row(self) -> None:
        """Begin a row."""
        self._end_cell()
        self._fill()
        self._rows.append([])

    def cell(self, columns: str | None, rows: str | None) -> None:
        """Begin a cell that spans so many columns and rows."""
        self._end_cell()
        if not self._rows:
            self._rows.append([])
        self._spans = (_span(columns), _span(rows))

    def text(self, text: str) -> None:
        """Add to the present cell; what stands outside of cells is the caption."""
        (self._caption if self._spans is None else self._words).append(text)

    def caption(self) -> str:
        """Return what stands outside of cells."""
        return " ".join("".join(self._caption).split())

    def rows(self) -> list[list[str]]:
        """Return the rows that hold anything."""
        self._end_cell()
        self._fill()
        return [row for row in self._rows if any(row)]

    def _end_cell(self) -> None:
        if self._spans is None:
            return
        lines = (" ".join(line.split()).removeprefix("/ ") for line in "".join(self._words).split("\n"))
        text = "\n".join(line for line in lines if line)
        (columns, rows), self._spans, self._words = self._spans, None, []
        self._fill()
        row = self._rows[-1]
        for _ in range(min(columns, MAX_COLUMNS - len(row))):
            if rows > 1:
                self._from_above[len(row)] = (rows - 1, text)
            row.append(text)
        self._cells += columns
        if self._cells > MAX_CELLS:
            raise UnusableFile(f"a table has more than {MAX_CELLS:,} cells")

    def _fill(self) -> None:
        """Put what spans down from above where the row has come to."""
        if not self._rows:
            return
        row = self._rows[-1]
        while (above := self._from_above.get(len(row))) is not None and len(row) < MAX_COLUMNS:
            rows, text = above
            # what reaches further down is met again in the next row, since the column is passed here
            if rows > 1:
                self._from_above[len(row)] = (rows - 1, text)
            else:
                del self._from_above[len(row)]
            row.append(text)


def _span(text: str | None) -> int:
    return max(1, min(int(text), MAX_SPAN)) if text and text.isdecimal() and len(text) < 6 else 1  # noqa: PLR2004
