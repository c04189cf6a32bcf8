"""CSV to one Markdown table per block of rows; no cell is retyped.

Delimiter and encoding are found out; the file is read row by row, so its size does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from shoald.adapters.document_loaders import delimited
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.params import check_names, whole_number
from shoald.adapters.document_loaders.tables import markdown_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

DEFAULT_ROWS = 100
MAX_ROWS = 100_000


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the tables; the first row names the columns. Raises `UnusableFile`."""
    check_names(params, ("chunk_size",))
    size = whole_number(params, "chunk_size", default=DEFAULT_ROWS, most=MAX_ROWS, meaning="the rows per table")
    rows = delimited.rows(file)
    header = next(rows, None)
    if header is None:
        return
    first = 1
    for index, block in enumerate(iter(lambda: list(islice(rows, size)), [])):
        metadata = {
            "source": source,
            "row_count": len(block),
            "chunk_index": index,
            "row_start": first,
            "row_end": first + len(block) - 1,
            "char_start": block[0].start,
            "char_end": block[-1].end,
        }
        first += len(block)
        yield Item(markdown_table(header.cells, [row.cells for row in block]), metadata, "table", "markdown")
