"""Tables with vectors, as streams and files that callers have, in; batches of documents out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from shoald.domain.records.collection import DocumentBatch


class DocumentTables(Protocol):
    """Reads documents from tables, in constant memory.

    Columns: `document_id` (or `id`, `point_id`), a list of numbers for each vector, `payload` (JSON text or a
    structure), and any further columns, which become keys of the payload. All methods raise `InvalidFields` that says
    what is wrong with the table.
    """

    def from_stream(self, pieces: Iterable[bytes]) -> Iterator[DocumentBatch]:
        """Yield the documents of an Arrow IPC stream, which arrives cut anywhere."""
        ...

    def from_file(self, path: str) -> Iterator[DocumentBatch]:
        """Yield the documents of a `.parquet`, `.npy`, `.jsonl` or `.arrow` file.

        A `.npy` file is an (n, d) array of vectors; documents are called by their row, with leading zeros.
        """
        ...

    def rows_in(self, path: str) -> int | None:
        """Return the number of documents in a file, or None where only reading it would tell."""
        ...
