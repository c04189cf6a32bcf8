"""A delimited table to one segment per row, or one per group of rows that share a value.

Row mode gives lines `column: value`. Group mode gives a line `Group: column = value`, then one line per row; it holds
the whole table in memory, row mode one row.
"""

from __future__ import annotations

from collections.abc import Iterator

from shoald.adapters.document_loaders import delimited
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.params import check_names, one_of
from shoald.adapters.document_loaders.reading import UnusableFile, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, BinaryIO

MODES = ("row", "group")


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the rows or the groups, these in the order of their first rows; raises `UnusableFile`."""
    check_names(params, ("mode", "group_by"))
    mode, group_by = one_of(params, "mode", MODES), params.get("group_by")
    if group_by is not None and not isinstance(group_by, str):
        raise UnusableFile("loader_params.group_by must be a text: the name of a column")
    if mode == "group" and not group_by:
        raise UnusableFile("loader_params.group_by is needed for the mode group: the name of a column")
    rows = delimited.rows(file)
    header = next(rows, None)
    if header is None:
        return
    names = [name.strip() or f"column {at}" for at, name in enumerate(header.cells, 1)]
    if mode == "row":
        yield from _rows(names, rows, source)
    else:
        yield from _groups(names, rows, source, str(group_by))


def _rows(names: Sequence[str], rows: Iterator[delimited.Row], source: str) -> Iterator[Item]:
    for number, row in enumerate(rows, 1):
        metadata = {"row": number, "source": source, "char_start": row.start, "char_end": row.end}
        yield Item(clean("\n".join(_pairs(names, row.cells))), metadata, "table")


def _groups(names: Sequence[str], rows: Iterator[delimited.Row], source: str, group_by: str) -> Iterator[Item]:
    if group_by not in names:
        known = ", ".join(names[:50])[:500]
        raise UnusableFile(f"loader_params.group_by must name a column; {group_by[:100]!r} is none of: {known}")
    column = names.index(group_by)
    groups: dict[str, list[str]] = {}
    numbers: dict[str, list[int]] = {}
    for number, row in enumerate(rows, 1):
        key = row.cells[column].strip() if column < len(row.cells) else ""
        groups.setdefault(key, []).append(", ".join(_pairs(names, row.cells)))
        numbers.setdefault(key, []).append(number)
    for key, lines in groups.items():
        first, last = numbers[key][0], numbers[key][-1]
        metadata = {"group_key": clean(key), "source": source, "row_count": len(lines)}
        content = "\n".join([f"Group: {group_by} = {key}", *lines])
        yield Item(clean(content), metadata | {"row_start": first, "row_end": last}, "table")


def _pairs(names: Sequence[str], cells: Sequence[str]) -> list[str]:
    """Return `column: value` for each column; cells beyond the header get a number for a name."""
    width = max(len(names), len(cells))
    return [
        f"{names[at] if at < len(names) else f'column {at + 1}'}: {cells[at].strip() if at < len(cells) else ''}"
        for at in range(width)
    ]
