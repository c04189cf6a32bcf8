"""Arrow in and out: what streams of columns become, and how tables of any library become a stream.

pyarrow is imported when it is needed; pandas, Polars and NumPy only by who asks for them.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import polars as pl

_PART = 256 * 1024
_BATCH = 16 * 1024 * 1024


def _arrow() -> Any:
    try:
        import pyarrow as pa
    except ImportError as missing:
        raise ImportError("columns need pyarrow: pip install 'shoal-client[columns]'") from missing
    return pa


def batches_of(message: bytes) -> Iterator[Any]:
    """Yield the record batches of one message, an Arrow IPC stream by itself."""
    with _arrow().ipc.open_stream(message) as reader:
        yield from reader


def _table(batches: Sequence[Any]) -> Any:
    if not batches:
        raise ValueError("the stream had no batch, so that its columns are not known")
    return _arrow().Table.from_batches(batches)


def _numpy(table: Any) -> dict[str, npt.NDArray[Any]]:
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _polars(table: Any) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(table)


class Columns:
    """A stream of columns: iterate over it for one `pyarrow.RecordBatch` after another, or take it whole, once."""

    def __init__(self, messages: Iterable[bytes]) -> None:
        self._messages = messages

    def __iter__(self) -> Iterator[Any]:
        for message in self._messages:
            yield from batches_of(message)

    def to_arrow(self) -> Any:
        """Return a `pyarrow.Table`."""
        return _table(list(self))

    def to_pandas(self) -> pd.DataFrame:
        """Return a pandas frame."""
        frame: pd.DataFrame = self.to_arrow().to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return a Polars frame, without a copy of the columns."""
        return _polars(self.to_arrow())

    def to_numpy(self) -> dict[str, npt.NDArray[Any]]:
        """Return one array a column, by name."""
        return _numpy(self.to_arrow())


class AsyncColumns:
    """The same over asyncio: `async for` over it, or await one of its calls."""

    def __init__(self, messages: AsyncIterator[bytes]) -> None:
        self._messages = messages

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for message in self._messages:
            for batch in batches_of(message):
                yield batch

    async def to_arrow(self) -> Any:
        """Return a `pyarrow.Table`."""
        return _table([batch async for batch in self])

    async def to_pandas(self) -> pd.DataFrame:
        """Return a pandas frame."""
        frame: pd.DataFrame = (await self.to_arrow()).to_pandas()
        return frame

    async def to_polars(self) -> pl.DataFrame:
        """Return a Polars frame, without a copy of the columns."""
        return _polars(await self.to_arrow())

    async def to_numpy(self) -> dict[str, npt.NDArray[Any]]:
        """Return one array a column, by name."""
        return _numpy(await self.to_arrow())


def vectors_table(
    document_ids: Sequence[str],
    vectors: npt.NDArray[np.floating[Any]],
    name: str = "embedding",
    **columns: Sequence[Any],
) -> Any:
    """Return a `pyarrow.Table` to import: ids, `(n, d)` vectors under `name`, and further columns as payload."""
    pa = _arrow()
    if vectors.ndim != 2 or len(vectors) != len(document_ids):  # noqa: PLR2004 - rows and columns
        raise ValueError(f"{len(document_ids)} ids need as many rows of vectors, not an array of {vectors.shape}")
    flat = pa.array(vectors.astype("float32", copy=False).ravel())
    lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
    return pa.table({"document_id": pa.array(document_ids, pa.string()), name: lists, **columns})


class _Written(io.RawIOBase):
    """Where Arrow writes to, emptied part by part."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._kept += data
        return len(data)

    def take(self, at_least: int) -> Iterator[bytes]:
        while self._kept and len(self._kept) >= at_least:
            yield bytes(self._kept[:_PART])
            del self._kept[:_PART]


def arrow_parts(data: Any) -> Iterator[bytes]:
    """Yield the parts of an Arrow IPC stream made of `data`, in memory of one batch.

    `data` is anything that offers Arrow columns: a table, batches or a reader of pyarrow, a frame of pandas or Polars.
    """
    pa = _arrow()
    reader = pa.RecordBatchReader.from_stream(data)
    written = _Written()
    with pa.ipc.new_stream(written, reader.schema) as writer:
        for batch in reader:
            for piece in _pieces(batch):
                writer.write_batch(piece)
                yield from written.take(_PART)
    yield from written.take(1)


def _pieces(batch: Any) -> Iterator[Any]:
    rows = max(1, _BATCH * batch.num_rows // max(1, batch.nbytes))
    return (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))
