"""The artifacts of runs as Parquet: columns in, files out, and back in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[Any] | Sequence[Any]
"""Numbers as an array, in which NaN means that there is no value; times, which are in UTC and come back as `datetime`,
likewise; texts and lists of texts as a sequence with None.
"""

Columns = Mapping[str, Column]


class ByteSink(Protocol):
    """Takes bytes in order."""

    def write(self, piece: bytes, /) -> object:
        """Append a piece."""
        ...


class RunTables(Protocol):
    """Writes and reads Parquet files: page checksums, no dictionaries for ids and floats, zstd for all but floats.

    Floats hardly shrink (a tenth), and to unpack them took a quarter of the time that reading members takes.
    """

    def write(self, sink: ByteSink, columns: Columns, *, metadata: Mapping[str, str]) -> int:
        """Write columns of one length as a file, and return the number of rows.

        Two-dimensional arrays become lists of floats; the metadata lands in the file's own.
        """
        ...

    def read(
        self,
        path: str,
        *,
        columns: Sequence[str] | None = None,
        where: tuple[str, str] | None = None,
        batch_rows: int = 8192,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield a file's columns in batches, as lists with None where there is no value; lists of floats as arrays.

        `where` keeps the rows in which a text column has a value, and reads only the row groups that may hold such.
        """
        ...

    def drawn(
        self, path: str, *, columns: Sequence[str], most: int, where: tuple[str, str] | None = None
    ) -> Iterator[Columns]:
        """Yield some columns of at most so many rows, taken at equal steps from all rows, or from those of `where`.

        Of n rows the i-th taken is ⌊i · n / most⌋. Numbers come as arrays, NaN where there is none; texts as lists.
        """
        ...

    def count(self, path: str, *, where: tuple[str, str]) -> int:
        """Return the number of rows in which a text column has a value."""
        ...

    def words_of(
        self, path: str, column: str, ids: npt.NDArray[np.bytes_], *, where: Mapping[str, str]
    ) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        """Return the different words of a text column, and for each id the number of the word that its row has.

        Rows go by `point_id`; -1 stands for an id without a row. Only rows that fulfil `where`, in which texts have
        these values, count. O(rows + ids), no Python step for a row. Raises `DataCorrupt` for a file that cannot be
        read.
        """
        ...

    def relabeled(self, path: str, sink: ByteSink, names: Mapping[str, str]) -> int:
        """Write a file again with `cluster_label` replaced where `cluster_id` is one of the names' keys; flat memory.

        The names are people's: `confidence`, a model's, is left empty there.

        Returns the number of rows; raises `DataCorrupt` for a file that cannot be read.
        """
        ...

    def described(self, path: str, sink: ByteSink, words: Mapping[str, Mapping[str, Any]]) -> int:
        """Write a file again with what is said of the group that `cluster_id` names replaced: texts, lists, figures.

        `words` hold it by column and group, None for nothing; columns that the file does not have are left out. Where
        rows are told apart by `is_centroid`, all columns but `cluster_label` are those of groups alone. Flat memory.
        Returns the number of rows; raises `DataCorrupt` for a file that cannot be read.
        """
        ...

    def replaced(self, path: str, sink: ByteSink, columns: Columns) -> int:
        """Write a file again with some of its columns of numbers replaced by others of its length; flat memory.

        Returns the number of rows; raises `DataCorrupt` for a file that cannot be read.
        """
        ...

    def arrow_messages(self, path: str, *, max_bytes: int) -> Iterator[tuple[bytes, int]]:
        """Yield a file as Arrow IPC streams of one batch each, of at most so many bytes, with the rows in each.

        The bytes are taken as they are: who lends the file has compared its hash (`ObjectStore.local_copy`).
        """
        ...
