"""Documents and vectors as Parquet, CSV and lines of JSON; tables of free JSON wait until all columns are known."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from shoald.adapters.parquet.run_tables import file_over
from shoald.application.ports.export_tables import ExportTable, Row
from shoald.application.ports.run_tables import ByteSink
from shoald.domain.csv_cells import plain_cell
from shoald.domain.failures import TooLarge
from shoald.domain.platform_words import CollectionFormat
from shoald.domain.records.collection import SparseVector
from shoald.domain.vocabulary import VectorKind

MOST_COLUMNS = 2000
_ROWS = 2048
_GROUP_BYTES = 32 << 20
"""Size of a row group, which is held whole."""
_TERMS = pa.struct([("indices", pa.list_(pa.int32())), ("values", pa.list_(pa.float32()))])
_VECTORS = {
    VectorKind.DENSE.value: pa.list_(pa.float32()),
    VectorKind.MULTI_VECTOR.value: pa.list_(pa.list_(pa.float32())),
    VectorKind.SPARSE.value: _TERMS,
}
_MIXED = pa.null()
"""Stands for values of several kinds, which are written as JSON text."""
_KINDS: Mapping[type, pa.DataType] = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
_NUMBERS = {pa.int64(), pa.float64()}


class FileExportTables:
    """`ExportTables` by pyarrow, the standard library's CSV and orjson."""

    @contextlib.contextmanager
    def documents(self, sink: ByteSink, word: str, columns: Sequence[str]) -> Iterator[ExportTable]:
        """Open a table of free JSON."""
        if word == CollectionFormat.JSON:
            yield _Lines(sink)
            return
        with tempfile.TemporaryFile() as spool:
            waiting = _Waiting(spool, columns)
            yield waiting
            write = _write_parquet if word == CollectionFormat.PARQUET else _write_csv
            write(sink, waiting.fields(), waiting.batches())

    @contextlib.contextmanager
    def vectors(self, sink: ByteSink, word: str, kinds: Mapping[str, str]) -> Iterator[ExportTable]:
        """Open a table of vectors."""
        if word == CollectionFormat.JSON:
            yield _Lines(sink)
        elif word == CollectionFormat.CSV:
            fields = {"document_id": pa.string(), **dict.fromkeys(kinds, _MIXED)}
            yield _Cells(sink, fields)
        else:
            fields = {"document_id": pa.string(), **{name: _VECTORS[kind] for name, kind in kinds.items()}}
            with _parquet(sink, fields) as table:
                yield table


class _Lines:
    """An object in each line."""

    def __init__(self, sink: ByteSink) -> None:
        self._sink = sink

    def write(self, rows: Sequence[Row]) -> None:
        self._sink.write(b"".join(_json(row) + b"\n" for row in rows))


class _Waiting:
    """Rows in a file of this process, with the kinds of values that each column has."""

    def __init__(self, spool: IO[bytes], columns: Sequence[str]) -> None:
        self._spool = spool
        self._first = tuple(columns)
        self._kinds: dict[str, pa.DataType | None] = dict.fromkeys(columns)

    def write(self, rows: Sequence[Row]) -> None:
        for row in rows:
            for name, value in row.items():
                known = self._kinds.setdefault(name, None)
                if value is not None and known is not _MIXED:
                    self._kinds[name] = _joined(known, _KINDS.get(type(value), _MIXED))
        if len(self._kinds) > MOST_COLUMNS:
            message = f"The documents have more than {MOST_COLUMNS} fields: choose some with select_fields, or json."
            raise TooLarge(message, detail={"limit": MOST_COLUMNS})
        _Lines(self._spool).write(rows)

    def fields(self) -> dict[str, pa.DataType]:
        names = [*self._first, *sorted(self._kinds.keys() - set(self._first))]
        kinds = ((name, self._kinds[name]) for name in names)
        return {name: pa.string() if kind is None else kind for name, kind in kinds}

    def batches(self) -> Iterator[list[Row]]:
        self._spool.seek(0)
        while lines := list(itertools.islice(self._spool, _ROWS)):
            yield [orjson.loads(line) for line in lines]


def _joined(known: pa.DataType | None, kind: pa.DataType) -> pa.DataType:
    if known is None or known == kind:
        return kind
    return pa.float64() if {known, kind} == _NUMBERS else _MIXED


class _Cells:
    """CSV with a line of names; lists, objects and columns of several kinds are JSON text."""

    def __init__(self, sink: ByteSink, fields: Mapping[str, pa.DataType]) -> None:
        self._sink = sink
        self._fields = fields
        self._lines([[plain_cell(name) for name in fields]])

    def write(self, rows: Sequence[Row]) -> None:
        self._lines([plain_cell(_cell(row.get(name), kind)) for name, kind in self._fields.items()] for row in rows)

    def _lines(self, lines: Iterable[Sequence[Any]]) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        self._sink.write(text.getvalue().encode())


class _Groups:
    """A Parquet file; batches wait until they are a row group."""

    def __init__(self, writer: pq.ParquetWriter, fields: Mapping[str, pa.DataType]) -> None:
        self._writer = writer
        self._fields = fields
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0

    def write(self, rows: Sequence[Row]) -> None:
        columns = [_column([row.get(name) for row in rows], kind) for name, kind in self._fields.items()]
        batch = pa.RecordBatch.from_arrays(columns, schema=self._writer.schema)
        self._batches.append(batch)
        self._bytes += batch.nbytes
        if self._bytes >= _GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches))
            self._batches, self._bytes = [], 0


@contextlib.contextmanager
def _parquet(sink: ByteSink, fields: Mapping[str, pa.DataType]) -> Iterator[_Groups]:
    shown = [(name, pa.string() if kind is _MIXED else kind) for name, kind in fields.items()]
    with pq.ParquetWriter(file_over(sink), pa.schema(shown), compression="zstd", write_page_checksum=True) as writer:
        groups = _Groups(writer, fields)
        yield groups
        groups.flush()


def _write_parquet(sink: ByteSink, fields: Mapping[str, pa.DataType], batches: Iterable[Sequence[Row]]) -> None:
    with _parquet(sink, fields) as table:
        for rows in batches:
            table.write(rows)


def _write_csv(sink: ByteSink, fields: Mapping[str, pa.DataType], batches: Iterable[Sequence[Row]]) -> None:
    table = _Cells(sink, fields)
    for rows in batches:
        table.write(rows)


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if kind is _MIXED:
        return pa.array([_cell(value, kind) for value in values], pa.string())
    if kind == _VECTORS[VectorKind.MULTI_VECTOR]:
        return pa.array([None if value is None else list(value) for value in values], kind)
    if kind == _TERMS:
        return pa.array([None if value is None else _terms(value) for value in values], kind)
    return pa.array(values, kind)


def _cell(value: Any, kind: pa.DataType) -> Any:
    return _json(value).decode() if kind is _MIXED and value is not None else value


def _json(value: Any) -> bytes:
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: Any) -> Any:
    if isinstance(value, SparseVector):
        return _terms(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    return dict(value)


def _terms(value: SparseVector) -> dict[str, Any]:
    return {"indices": np.asarray(value.indices), "values": np.asarray(value.values)}
