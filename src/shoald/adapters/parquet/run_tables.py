"""Artifacts of cluster runs as Parquet files, written to any sink and read in batches."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shoald.application.ports.run_tables import ByteSink, Column, Columns
from shoald.domain.failures import DataCorrupt

_ROWS_PER_GROUP = 65_536
_MATRIX_DIMENSIONS = 2
_WORDS = ("cluster_id", "collection_id", "cluster_label")
"""Columns of few words, often repeated."""
_FILLED = 0.97
"""The share of a message that a batch's columns may take; the rest is for the stream's own head and padding."""


class ParquetRunTables:
    """`RunTables` by pyarrow."""

    def write(self, sink: ByteSink, columns: Columns, *, metadata: Mapping[str, str]) -> int:
        """Write columns of one length as a file."""
        table = pa.table({name: _to_arrow(column) for name, column in columns.items()})
        table = table.replace_schema_metadata(dict(metadata))
        with _writer(sink, table.schema) as writer:
            writer.write_table(table, row_group_size=_ROWS_PER_GROUP)
        return int(table.num_rows)

    def read(
        self,
        path: str,
        *,
        columns: Sequence[str] | None = None,
        where: tuple[str, str] | None = None,
        batch_rows: int = 8192,
    ) -> Iterator[Mapping[str, Any]]:
        """Yield a file's columns in batches."""
        with _readable(), _opened(path) as file:
            wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            groups = _groups(file, where)
            for batch in file.iter_batches(batch_size=batch_rows, row_groups=groups, columns=wanted):
                kept = batch if where is None else batch.filter(pc.equal(batch.column(where[0]), where[1]))
                if kept.num_rows:
                    yield {name: _from_arrow(kept.column(name)) for name in kept.schema.names}

    def drawn(
        self, path: str, *, columns: Sequence[str], most: int, where: tuple[str, str] | None = None
    ) -> Iterator[Columns]:
        """Yield some columns of rows at equal steps."""
        total = self._rows(path) if where is None else self.count(path, where=where)
        taken, read = min(most, total), 0
        for batch in self._batches(path, [*columns, *([where[0]] if where else ())], where):
            # the first row drawn at or behind a row n is number ⌈n · taken / total⌉
            first, last = (-(-row * taken // max(1, total)) for row in (read, read + batch.num_rows))
            chosen = np.arange(first, last, dtype=np.int64) * total // max(1, taken)
            mine = batch if taken == total else batch.take(pa.array(chosen - read))
            read += batch.num_rows
            if mine.num_rows:
                yield {name: _as_numbers(mine.column(name)) for name in columns}

    def count(self, path: str, *, where: tuple[str, str]) -> int:
        """Count by one column."""
        return sum(batch.num_rows for batch in self._batches(path, [where[0]], where))

    def _rows(self, path: str) -> int:
        with _readable():
            return int(pq.read_metadata(path, memory_map=True).num_rows)

    def _batches(self, path: str, columns: Sequence[str], where: tuple[str, str] | None) -> Iterator[pa.RecordBatch]:
        with _readable(), _opened(path) as file:
            for batch in file.iter_batches(
                batch_size=_ROWS_PER_GROUP, row_groups=_groups(file, where), columns=list(columns)
            ):
                yield batch if where is None else batch.filter(pc.equal(batch.column(where[0]), where[1]))

    def words_of(
        self, path: str, column: str, ids: npt.NDArray[np.bytes_], *, where: Mapping[str, str]
    ) -> tuple[Sequence[str], npt.NDArray[np.int32]]:
        """Join ids and rows by the hash of the id."""
        with _readable(), _opened(path) as file:
            table = file.read(columns=["point_id", column, *where])
        for name, value in where.items():
            table = table.filter(pc.equal(table.column(name), value))
        rows = pc.index_in(pa.array(ids).cast(pa.string()), value_set=table.column("point_id").combine_chunks())
        words = table.column(column).combine_chunks().dictionary_encode()
        numbers = pc.fill_null(pc.take(words.indices, rows), -1)
        return words.dictionary.to_pylist(), np.asarray(numbers.to_numpy(zero_copy_only=False), dtype=np.int32)

    def relabeled(self, path: str, sink: ByteSink, names: Mapping[str, str]) -> int:
        """Write a file again, a row group at a time."""
        return self._rewritten(path, sink, lambda batch, _: _with_names(batch, names))

    def described(self, path: str, sink: ByteSink, words: Mapping[str, Mapping[str, Any]]) -> int:
        """Write a file again, a row group at a time."""
        return self._rewritten(path, sink, lambda batch, _: _with_words(batch, words))

    def replaced(self, path: str, sink: ByteSink, columns: Columns) -> int:
        """Write a file again, a row group at a time."""
        return self._rewritten(path, sink, lambda batch, start: _with_columns(batch, columns, start))

    def _rewritten(self, path: str, sink: ByteSink, changed: Callable[[pa.RecordBatch, int], pa.RecordBatch]) -> int:
        """Write what is made of each batch, given the number of its first row."""
        with _readable(), _opened(path) as file:
            rows = 0
            with _writer(sink, file.schema_arrow) as writer:
                for batch in file.iter_batches(batch_size=_ROWS_PER_GROUP):
                    writer.write_batch(changed(batch, rows), row_group_size=_ROWS_PER_GROUP)
                    rows += batch.num_rows
        return rows

    def arrow_messages(self, path: str, *, max_bytes: int) -> Iterator[tuple[bytes, int]]:
        """Yield a file as Arrow IPC streams of one batch each."""
        with _readable(), _opened(path, words=_WORDS, pages_checked=False) as file, ThreadPoolExecutor(1) as ahead:
            batches = map(_plain, file.iter_batches(batch_size=_ROWS_PER_GROUP))
            coming = ahead.submit(next, batches, None)
            while (batch := coming.result()) is not None:
                # the next batch is decoded while this one is encoded and sent
                coming = ahead.submit(next, batches, None)
                yield from _messages(batch, max_bytes)


class _Sink(io.RawIOBase):
    """A file that Parquet can be written to, forward only."""

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, piece: Any) -> int:
        self._sink.write(bytes(piece))
        self._at += len(piece)
        return len(piece)


def file_over(sink: ByteSink) -> io.RawIOBase:
    """Return a file that Parquet can be written to, over what takes bytes in order."""
    return _Sink(sink)


def _writer(sink: ByteSink, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        _Sink(sink),
        schema,
        compression={field.name: "zstd" for field in schema if not pa.types.is_floating(field.type)},
        use_dictionary=[field.name for field in schema if field.name in _WORDS],  # ids and floats do better without
        write_page_checksum=True,
    )


def _with_columns(batch: pa.RecordBatch, columns: Columns, start: int) -> pa.RecordBatch:
    """Replace columns by the part of others that begins at a row; each keeps its type."""
    for name, column in columns.items():
        at = batch.schema.get_field_index(name)
        part = _to_arrow(np.asarray(column)[start : start + batch.num_rows])
        batch = batch.set_column(at, name, part.cast(batch.schema.field(at).type))
    return batch


def _with_names(batch: pa.RecordBatch, names: Mapping[str, str]) -> pa.RecordBatch:
    """Replace the labels of some groups; no model was sure of these."""
    known, labels = pa.array(list(names), pa.string()), pa.array(list(names.values()), pa.string())
    at = pc.index_in(batch.column("cluster_id"), value_set=known)
    given = pc.coalesce(pc.take(labels, at), batch.column("cluster_label"))
    batch = batch.set_column(batch.schema.get_field_index("cluster_label"), "cluster_label", given)
    if "confidence" not in batch.schema.names:
        return batch
    sure = pc.if_else(pc.is_valid(at), pa.scalar(None, pa.float64()), batch.column("confidence"))
    return batch.set_column(batch.schema.get_field_index("confidence"), "confidence", sure)


def _with_words(batch: pa.RecordBatch, words: Mapping[str, Mapping[str, Any]]) -> pa.RecordBatch:
    """Replace columns where their row is of a group that has another word."""
    schema = batch.schema
    is_group = batch.column("is_centroid") if "is_centroid" in schema.names else pa.scalar(value=True)
    for name, by_group in words.items():
        if name not in schema.names or not by_group:
            continue
        at = pc.index_in(batch.column("cluster_id"), value_set=pa.array(list(by_group), pa.string()))
        if name != "cluster_label":
            at = pc.if_else(is_group, at, pa.scalar(None, pa.int32()))
        place = schema.get_field_index(name)
        given = pc.take(pa.array(list(by_group.values()), schema.field(place).type), at)
        kept = pc.if_else(pc.is_valid(at), given, batch.column(name))
        batch = batch.set_column(place, schema.field(place), kept)
    return batch


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    """Say of a file that cannot be read that it is damaged."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataCorrupt(f"An artifact cannot be read: {error}.") from error


def _opened(path: str, words: Sequence[str] = (), *, pages_checked: bool = True) -> pq.ParquetFile:
    """Open a file; columns that are named as `words`, where there are such, come as dictionaries.

    Checksums of pages take a third of the time of reading; who streams a whole file has compared its hash.
    """
    metadata = pq.read_metadata(path, memory_map=True)
    known = [word for word in words if word in metadata.schema.to_arrow_schema().names]
    return pq.ParquetFile(
        path, memory_map=True, metadata=metadata, page_checksum_verification=pages_checked, read_dictionary=known
    )


def _plain(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Write dictionaries out: cheaper than to let the file do so."""
    columns = [one.dictionary_decode() if pa.types.is_dictionary(one.type) else one for one in batch.columns]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _to_arrow(column: Column) -> pa.Array:
    if isinstance(column, np.ndarray) and column.ndim == _MATRIX_DIMENSIONS:
        flat = pa.array(np.ascontiguousarray(column).reshape(-1), type=pa.float32())
        offsets = np.arange(len(column) + 1, dtype=np.int32) * column.shape[1]
        return pa.ListArray.from_arrays(pa.array(offsets), flat)
    if isinstance(column, np.ndarray) and column.dtype.kind == "S":
        return pa.array(column.tolist(), type=pa.binary()).cast(pa.string())
    if isinstance(column, np.ndarray) and column.dtype.kind == "f":
        return pa.array(column, mask=np.isnan(column))
    if isinstance(column, np.ndarray) and column.dtype.kind == "M":
        return pa.array(column).cast(pa.timestamp("ms", "UTC"))
    if isinstance(column, np.ndarray):
        return pa.array(column)
    return _of_objects(column)


def _of_objects(column: Sequence[Any]) -> pa.Array:
    """Type a column by its first value, so that one without any is text."""
    first = next((value for value in column if value is not None), "")
    if isinstance(first, np.ndarray):
        return pa.array([None if value is None else value.tolist() for value in column], type=pa.list_(pa.float32()))
    if isinstance(first, list | tuple):
        return pa.array(list(column), type=pa.list_(pa.string()))
    if isinstance(first, str):
        return pa.array([None if value is None else str(value) for value in column], type=pa.string())
    kinds = {bool: pa.bool_(), int: pa.int32(), float: pa.float64()}
    return pa.array(list(column), type=kinds[type(first)])


def _from_arrow(column: pa.Array) -> Any:
    if pa.types.is_list(column.type) and pa.types.is_floating(column.type.value_type):
        return [None if one.values is None else one.values.to_numpy(zero_copy_only=False) for one in column]
    return column.to_pylist()


def _as_numbers(column: pa.Array) -> Column:
    if pa.types.is_floating(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    texts: list[Any] = column.to_pylist()
    return texts


def _groups(file: pq.ParquetFile, where: tuple[str, str] | None) -> list[int]:
    """Return the row groups that may hold the value, by their statistics."""
    everything = list(range(file.num_row_groups))
    if where is None:
        return everything
    at = file.schema_arrow.names.index(where[0])
    kept = []
    for group in everything:
        statistics = file.metadata.row_group(group).column(at).statistics
        if statistics is None or not statistics.has_min_max or statistics.min <= where[1] <= statistics.max:
            kept.append(group)
    return kept


def _messages(batch: pa.RecordBatch, max_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Cut a batch into streams that are small enough; what is still too large is halved."""
    rows = max(1, int(batch.num_rows * _FILLED * max_bytes / max(1, batch.nbytes)))
    for at in range(0, batch.num_rows, rows):
        part = batch.slice(at, rows)
        body = _stream(part)
        if len(body) <= max_bytes or part.num_rows <= 1:
            yield body, part.num_rows
        else:
            yield from _messages(part.slice(0, part.num_rows // 2), max_bytes)
            yield from _messages(part.slice(part.num_rows // 2), max_bytes)


def _stream(batch: pa.RecordBatch) -> bytes:
    """Return a batch as an IPC stream, written once into room that is measured beforehand."""
    size = pa.MockOutputStream()
    _write(size, batch)
    room = pa.allocate_buffer(size.size())
    _write(pa.FixedSizeBufferWriter(room), batch)
    return bytes(room.to_pybytes())


def _write(sink: Any, batch: pa.RecordBatch) -> None:
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
