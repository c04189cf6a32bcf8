"""Documents of collections and their vectors as files that people take with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from shoald.application.ports.run_tables import ByteSink

Row = Mapping[str, Any]
"""Values by column: JSON, or a vector as it is stored."""


class ExportTable(Protocol):
    """Takes rows in order."""

    def write(self, rows: Sequence[Row]) -> None:
        """Append rows. Raises `TooLarge` when the table gets more columns than it may have."""
        ...


class ExportTables(Protocol):
    """Writes rows in one of the `CollectionFormat`s to a sink; constant memory beside one batch of rows.

    Leaving the block without an error ends the file, and only then is it whole.
    """

    def documents(self, sink: ByteSink, word: str, columns: Sequence[str]) -> AbstractContextManager[ExportTable]:
        """Open a table of free JSON that begins with these columns; any further ones follow by name.

        In Parquet and CSV a column is of numbers, truth values or texts where all its values are such, else of JSON
        text; JSON is an object in each line.
        """
        ...

    def vectors(self, sink: ByteSink, word: str, kinds: Mapping[str, str]) -> AbstractContextManager[ExportTable]:
        """Open a table of `document_id` and vectors, by name the `VectorKind` of each.

        In Parquet a dense vector is a list of floats, a multi-vector a list of such, a sparse one `indices` and
        `values`; CSV holds JSON text.
        """
        ...
