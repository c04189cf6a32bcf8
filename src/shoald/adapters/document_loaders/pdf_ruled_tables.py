"""Tables of PDF pages that have rules across only, as printed matter has: rows between them, columns by the blank.

Prose between rules is no table: its lines have no blank in common, or are long.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import mean, median
from typing import Any, NamedTuple

LEAST_RULES = 3
"""One above the header, one below it, one at the end; two are what many pages have above and below their text."""
LEAST_WIDTH = 60.0
"""Points; what is narrower underlines words."""
NEAR = 4.0
"""Points; ends of rules and lines of text that are so near to each other are meant to be the same."""
LEAST_BLANK = 6.0
"""Points between columns; the blank between words, justified ones too, is less."""
BLANK_OF_HEIGHT = 0.8
"""The same as a share of the height of the letters."""
MOST_WORDS = 4
"""Words of a cell in the mean of the table's tersest column; each column of prose has more."""
MOST_COLUMNS = 40
SOLID = 0.6
"""A line that fills such a share of the width without a column's blank is prose between two tables."""

Cells = list[list[str]]
BBox = tuple[float, float, float, float]
Word = dict[str, Any]
Line = list[Word]


class _Rule(NamedTuple):
    top: float
    left: float
    right: float


def ruled_tables(page: Any) -> list[tuple[BBox, Cells]]:
    """Return where such tables stand, as left, top, right and bottom, and their cells, the header's first."""
    found = []
    for rules in _groups(_rules(page)):
        lines = _lines(page, rules)
        for run in _runs(rules, lines):
            cells = _cells(run, lines)
            if cells:
                found.append(((run[0].left, run[0].top, run[0].right, run[-1].top), cells))
    return found


def _rules(page: Any) -> list[_Rule]:
    """Return the rules from above, pieces that stand side by side as one."""
    edges = sorted((edge for edge in page.edges if edge["orientation"] == "h"), key=lambda edge: edge["top"])
    rows: list[list[Any]] = []
    for edge in edges:
        if rows and edge["top"] - rows[-1][0]["top"] <= NEAR:
            rows[-1].append(edge)
        else:
            rows.append([edge])
    return [rule for row in rows if (rule := _joined(row)) is not None]


def _joined(row: list[Any]) -> _Rule | None:
    pieces = sorted((edge["x0"], edge["x1"]) for edge in row)
    left, right = pieces[0]
    for start, end in pieces[1:]:
        if start > right + 3 * NEAR:
            return None
        right = max(right, end)
    return _Rule(row[0]["top"], left, right) if right - left >= LEAST_WIDTH else None


def _groups(rules: list[_Rule]) -> list[list[_Rule]]:
    """Return rules that begin and end at the same places, as long as no other stands between them."""
    groups: list[list[_Rule]] = []
    for rule in rules:
        last = groups[-1][-1] if groups else None
        if last and abs(last.left - rule.left) <= NEAR and abs(last.right - rule.right) <= NEAR:
            groups[-1].append(rule)
        else:
            groups.append([rule])
    return [group for group in groups if len(group) >= LEAST_RULES]


def _lines(page: Any, rules: list[_Rule]) -> list[Line]:
    """Return the lines of text between the first and the last rule, each its words from the left."""
    inside = page.crop((rules[0].left - NEAR, rules[0].top, rules[0].right + NEAR, rules[-1].top), strict=False)
    words = sorted(inside.extract_words(), key=lambda word: (word["bottom"], word["x0"]))
    lines: list[Line] = []
    for word in words:
        if lines and word["bottom"] - lines[-1][0]["bottom"] <= NEAR:
            lines[-1].append(word)
        else:
            lines.append([word])
    return [sorted(line, key=lambda word: float(word["x0"])) for line in lines]


def _runs(rules: list[_Rule], lines: list[Line]) -> list[list[_Rule]]:
    """Return rules that belong to one table each: prose between two of them parts them."""
    width = rules[0].right - rules[0].left
    runs = [[rules[0]]]
    for above, below in pairwise(rules):
        between = _between(lines, above, below)
        if not between or any(_is_solid(line, width) for line in between):
            runs.append([below])
        else:
            runs[-1].append(below)
    return [run for run in runs if len(run) >= LEAST_RULES]


def _is_solid(line: Line, width: float) -> bool:
    gaps = [right["x0"] - left["x1"] for left, right in pairwise(line)]
    return line[-1]["x1"] - line[0]["x0"] >= SOLID * width and max(gaps, default=0.0) < _blank(line)


def _blank(line: Line) -> float:
    height: float = median(word["bottom"] - word["top"] for word in line)
    return max(LEAST_BLANK, BLANK_OF_HEIGHT * height)


def _between(lines: list[Line], above: _Rule, below: _Rule) -> list[Line]:
    return [line for line in lines if above.top < (line[0]["top"] + line[0]["bottom"]) / 2 < below.top]


def _cells(rules: list[_Rule], lines: list[Line]) -> Cells | None:
    """Return the cells of a table, None for what is none."""
    bands = [_between(lines, above, below) for above, below in pairwise(rules)]
    borders = _borders([line for band in bands[1:] for line in band])
    if not 1 <= len(borders) < MOST_COLUMNS:
        return None
    header = [
        " ".join(filter(None, column)) for column in zip(*(_row(line, borders) for line in bands[0]), strict=True)
    ]
    rows = [row for band in bands[1:] for row in _rows(band, borders)]
    return [header, *rows] if _is_table(header, rows) else None


def _borders(lines: list[Line]) -> list[float]:
    """Return the middle of each blank that all lines have in common."""
    spans = sorted((word["x0"], word["x1"]) for line in lines for word in line)
    blank = max((_blank(line) for line in lines), default=LEAST_BLANK)
    borders, reached = [], spans[0][1] if spans else 0.0
    for start, end in spans:
        if start - reached >= blank:
            borders.append((reached + start) / 2)
        reached = max(reached, end)
    return borders


def _row(line: Line, borders: list[float]) -> list[str]:
    """Return the words of a line by column: that in which a word's middle stands."""
    row: list[list[str]] = [[] for _ in range(len(borders) + 1)]
    for word in line:
        middle = (word["x0"] + word["x1"]) / 2
        row[sum(border < middle for border in borders)].append(word["text"])
    return [" ".join(words) for words in row]


def _rows(band: list[Line], borders: list[float]) -> Cells:
    """Return the rows between two rules; a line whose first cell is empty goes on with the one above."""
    rows: Cells = []
    for line in band:
        row = _row(line, borders)
        if rows and not row[0]:
            rows[-1] = [" ".join(filter(None, both)) for both in zip(rows[-1], row, strict=True)]
        else:
            rows.append(row)
    return rows


def _is_table(header: list[str], rows: Cells) -> bool:
    named = sum(map(bool, header))
    has_pairs = sum(sum(map(bool, row)) > 1 for row in rows)
    return (
        named >= max(2, len(header) - 1)
        and 3 * has_pairs >= 2 * len(rows) > 0
        and min(map(_mean_words, zip(*rows, strict=True))) <= MOST_WORDS
    )


def _mean_words(column: tuple[str, ...]) -> float:
    filled = [cell for cell in column if cell]
    return mean(len(cell.split()) for cell in filled) if filled else 0.0
