"""Tables with vectors that callers bring, as Arrow streams and as files, read in batches of bounded size."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from shoald.application.ragged_vectors import (
    MOST_TERMS,
    BadVectorError,
    in_order,
    kind_of,
    matrix_of,
    multi_column,
    sparse_column,
    terms_of,
)
from shoald.domain.failures import InvalidFields
from shoald.domain.ragged_arrays import bounds_of
from shoald.domain.records.collection import (
    AnyVectorColumn,
    DocumentBatch,
    MultiVectorColumn,
    SparseColumn,
    VectorColumn,
)
from shoald.domain.vocabulary import VectorKind

_ROWS = 4096
ID_COLUMNS = ("document_id", "id", "point_id")
"""Names of the column that holds ids, the first that there is."""
_PAYLOAD = "payload"
_TERMS = {"indices", "values"}
_MATRIX_DIMENSIONS = 2
_LARGEST_BATCH = 256 << 20
"""Bytes of one record batch, which is held whole."""


class ArrowDocumentTables:
    """`DocumentTables` by pyarrow."""

    def from_stream(self, pieces: Iterable[bytes]) -> Iterator[DocumentBatch]:
        """Yield the documents of an Arrow IPC stream."""
        yield from from_batches(_streamed(pieces))

    def from_file(self, path: str) -> Iterator[DocumentBatch]:
        """Yield the documents of a file, by the ending of its name."""
        readers = {".parquet": _parquet, ".npy": _npy, ".jsonl": _jsonl, ".ndjson": _jsonl, ".arrow": _arrow_file}
        ending = Path(path).suffix.lower()
        if ending not in readers:
            raise _wrong(f"files named *{ending} are not read; there are {', '.join(sorted(readers))}")
        return readers[ending](path)

    def rows_in(self, path: str) -> int | None:
        """Return the number of documents in a file (of lines, where they stand one in a line), or None where only
        reading it would tell.
        """
        ending = Path(path).suffix.lower()
        with _readable("the file cannot be read"):
            if ending == ".parquet":
                return int(pq.ParquetFile(path).metadata.num_rows)
            if ending == ".npy":
                return int(np.load(path, mmap_mode="r", allow_pickle=False).shape[0])
            if ending in {".jsonl", ".ndjson"}:
                return _lines_in(path)
        return None


def _wrong(message: str, *where: str | int) -> InvalidFields:
    return InvalidFields.field("body", *where, message=message)


class _readable:  # noqa: N801 - reads as a statement
    """Turns what a library says of a bad file into a failure that says it to the caller."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError, ValueError)) and not isinstance(error, InvalidFields):
            raise _wrong(f"{self._what}: {error}") from error


class _Pieces(io.RawIOBase):
    """A file over pieces of bytes as they arrive."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


class _Bounded(io.BufferedIOBase):
    """A file that gives no more bytes at once than a record batch may have: the library asks for it in one piece."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > _LARGEST_BATCH:
            raise ValueError(f"it has {size} bytes in one piece; send batches of at most {_LARGEST_BATCH} bytes")
        return self._file.read(size)


def _streamed(pieces: Iterable[bytes]) -> Iterator[pa.RecordBatch]:
    with _readable("the stream is no Arrow IPC stream"):
        reader = pa.ipc.open_stream(pa.PythonFile(_Bounded(io.BufferedReader(_Pieces(pieces))), mode="r"))
    yield from _next_batches(reader)


def _next_batches(reader: Any) -> Iterator[pa.RecordBatch]:
    while True:
        try:
            with _readable("a record batch cannot be read"):
                batch = reader.read_next_batch()
        except StopIteration:
            return
        for start in range(0, batch.num_rows, _ROWS):
            yield batch.slice(start, _ROWS)


def _parquet(path: str) -> Iterator[DocumentBatch]:
    yield from from_batches(parquet_batches(path))


def parquet_batches(path: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file; raises `InvalidFields` for another and for a damaged one."""
    with _readable("the file is no Parquet file"):
        file = pq.ParquetFile(path)
    yield from _next_of_file(file)


def _next_of_file(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    batches = file.iter_batches(batch_size=_ROWS)
    while True:
        with _readable("the file is damaged"):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _arrow_file(path: str) -> Iterator[DocumentBatch]:
    yield from from_batches(arrow_batches(path))


def arrow_batches(path: str) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that holds an Arrow IPC stream; raises `InvalidFields` for another."""
    with Path(path).open("rb") as stream:
        yield from _streamed(iter(lambda: stream.read(1 << 20), b""))


def _npy(path: str) -> Iterator[DocumentBatch]:
    """Yield the rows of an array; ids are row numbers of equal width, so that their order is the rows'."""
    with _readable("the file is no array"):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != _MATRIX_DIMENSIONS or array.dtype.kind not in "fiu":
        raise _wrong(f"the array must be two-dimensional numbers; it is {array.ndim}-dimensional {array.dtype}")
    width = len(str(max(len(array) - 1, 0)))
    for start in range(0, len(array), _ROWS):
        values = np.ascontiguousarray(array[start : start + _ROWS], dtype=np.float32)
        yield DocumentBatch(
            ids=[f"{row:0{width}d}" for row in range(start, start + len(values))],
            payloads=[{"row": row} for row in range(start, start + len(values))],
            vectors=[VectorColumn(name="vector", values=values)],
        )


def _jsonl(path: str) -> Iterator[DocumentBatch]:
    """Yield documents that stand one in a line; vectors are those under `vectors`, or without that all lists of
    numbers and all objects of `indices` and `values`.
    """
    yield from from_objects(objects_in(path))


def objects_in(path: str) -> Iterator[dict[str, Any]]:
    """Yield the objects that stand one in a line, each with the number of its line as `_line`."""
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield _object(line, number)


def from_objects(objects: Iterable[dict[str, Any]]) -> Iterator[DocumentBatch]:
    """Yield the documents of objects that `objects_in` gives."""
    remaining = iter(objects)
    while lines := list(itertools.islice(remaining, _ROWS)):
        yield _from_objects(lines)


def _lines_in(path: str) -> int:
    with Path(path).open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(1 << 20), b""))


def _object(line: bytes, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise _wrong(f"line {number} is no JSON: {error.msg} at character {error.pos + 1}") from error
    except ValueError as error:
        raise _wrong(f"line {number} is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise _wrong(f"line {number} is no JSON object")
    return {**value, "_line": number}


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number that JSON has")


def _from_objects(lines: list[dict[str, Any]]) -> DocumentBatch:
    ids, payloads, vectors = [], [], dict[str, list[tuple[int, Any]]]()
    for at, line in enumerate(lines):
        number = line.pop("_line")
        name = next((key for key in ID_COLUMNS if key in line), None)
        if name is None:
            raise _wrong(f"line {number} has no document_id")
        ids.append(str(line.pop(name)))
        inner = line.pop("vectors", None)
        if not isinstance(inner, dict | None):
            raise _wrong(f"line {number}: vectors must be an object of vectors by name")
        found = {key: value for key, value in line.items() if _is_vector(value)} if inner is None else inner
        for key, value in found.items():
            vectors.setdefault(key, []).append((at, value))
        payload = line.pop(_PAYLOAD, None) or {}
        if not isinstance(payload, dict):
            raise _wrong(f"line {number}: payload must be an object")
        payloads.append({**payload, **{key: value for key, value in line.items() if key not in found}})
    columns = [_column(name, rows, ids) for name, rows in vectors.items()]
    return DocumentBatch(ids=ids, payloads=payloads, vectors=columns)


def _is_vector(value: Any) -> bool:
    """Say whether a key that is not named as a vector holds one: a list of numbers, or terms. Lists of lists may be
    anything, and are vectors only where they stand under `vectors`.
    """
    if isinstance(value, dict):
        return value.keys() == _TERMS
    return (
        isinstance(value, list)
        and len(value) > 1
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in value)
    )


def _column(name: str, rows: list[tuple[int, Any]], ids: list[str]) -> AnyVectorColumn:
    at = None if len(rows) == len(ids) else np.asarray([row for row, _ in rows], dtype=np.int64)
    kinds = {kind_of(value) for _, value in rows}
    if len(kinds) > 1:
        words = ", ".join(sorted(kinds))
        raise _wrong(f"the vectors {name!r} are of several kinds ({words}); all must be of one", name)
    if VectorKind.SPARSE in kinds:
        return sparse_column(name, [_read(terms_of, name, ids[row], value) for row, value in rows], at)
    if VectorKind.MULTI_VECTOR in kinds:
        matrices = [_read(matrix_of, name, ids[row], value) for row, value in rows]
        if len({one.shape[1] for one in matrices}) > 1:
            raise _wrong(f"the multi-vectors {name!r} have rows of different lengths", name)
        return multi_column(name, matrices, at)
    try:
        values = np.asarray([value for _, value in rows], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise _wrong(
            f"the vectors {name!r} are no lists of numbers of one length{_odd_one(rows, ids)}", name
        ) from error
    return VectorColumn(name=name, values=values, rows=at)


def _read(reading: Callable[[Any], Any], name: str, document_id: str, value: Any) -> Any:
    try:
        return reading(value)
    except BadVectorError as problem:
        raise _wrong(f"the vector {name!r} of document {document_id!r} {problem}", name) from problem


def _odd_one(rows: list[tuple[int, Any]], ids: list[str]) -> str:
    """Name the first vector that is unlike the first of all, where lengths tell it."""
    (first_at, first), *others = rows
    if not isinstance(first, list):
        return ""
    odd = next((row for row in others if not isinstance(row[1], list) or len(row[1]) != len(first)), None)
    if odd is None:
        return ""
    length = len(odd[1]) if isinstance(odd[1], list) else "none"
    return f": that of document {ids[first_at]!r} has {len(first)}, that of {ids[odd[0]]!r} {length}"


def from_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[DocumentBatch]:
    """Yield the documents of record batches: their ids, their columns of vectors, and the others as payloads."""
    for batch in batches:
        if batch.num_rows:
            yield _documents(batch)


def _documents(batch: pa.RecordBatch) -> DocumentBatch:
    names = batch.schema.names
    id_name = next((name for name in ID_COLUMNS if name in names), None)
    if id_name is None:
        raise _wrong(f"there is no column document_id; there are {', '.join(names)}")
    ids = pc.cast(batch.column(id_name), pa.string()).to_pylist()
    if None in ids:
        raise _wrong("every document needs an id", id_name)
    vector_names = [name for name in names if _holds_vectors(batch.schema.field(name).type)]
    others = [name for name in names if name not in {id_name, *vector_names}]
    return DocumentBatch(
        ids=ids,
        payloads=_payloads(batch.select(others)),
        vectors=[column for name in vector_names if (column := _vectors(name, batch.column(name))) is not None],
    )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_row(kind: pa.DataType) -> bool:
    return _is_list(kind) and bool(pa.types.is_floating(kind.value_type))


def _is_terms(kind: pa.DataType) -> bool:
    """Say whether this is a struct of the lists `indices` and `values`, and of nothing else."""
    if not pa.types.is_struct(kind) or {field.name for field in kind} != _TERMS:
        return False
    indices = kind.field("indices").type
    return _is_list(indices) and bool(pa.types.is_integer(indices.value_type)) and _is_row(kind.field("values").type)


def _holds_vectors(kind: pa.DataType) -> bool:
    return _is_row(kind) or _is_terms(kind) or (_is_list(kind) and _is_row(kind.value_type))


def _vectors(name: str, column: pa.Array) -> AnyVectorColumn | None:
    """Return a column of vectors as arrays, by view where it can be; rows without a vector are left out."""
    rows = None
    if column.null_count:
        rows = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False)).astype(np.int64)
        column = column.drop_null()
    if len(column) == 0:
        return None
    if _is_terms(column.type):
        return _sparse(name, column, rows)
    if not _is_row(column.type):
        return _multi(name, column, rows)
    return VectorColumn(name=name, values=_table(name, column), rows=rows)


def _table(name: str, column: pa.Array) -> npt.NDArray[np.float32]:
    """Return a column of lists of one length as (n, d)."""
    flat = column.flatten()
    if len(flat) % len(column) or not _are_equally_long(column, len(flat) // len(column)):
        raise _wrong(f"the vectors {name!r} have different lengths", name)
    return np.ascontiguousarray(_numbers(name, flat, np.float32).reshape(len(column), -1))


def _numbers(name: str, flat: pa.Array, dtype: Any) -> npt.NDArray[Any]:
    if flat.null_count:
        raise _wrong(f"the vectors {name!r} hold nulls", name)
    return np.asarray(flat.to_numpy(zero_copy_only=False).astype(dtype, copy=False))


def _lengths(column: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.list_value_length(column).to_numpy(zero_copy_only=False), dtype=np.int64)


def _sparse(name: str, column: pa.Array, rows: npt.NDArray[np.int64] | None) -> SparseColumn:
    indices, values = pc.struct_field(column, "indices"), pc.struct_field(column, "values")
    if indices.null_count or values.null_count:
        raise _wrong(f"the vectors {name!r} hold nulls", name)
    lengths = _lengths(indices)
    if not np.array_equal(lengths, _lengths(values)):
        raise _wrong(f"the sparse vectors {name!r} have not as many values as indices", name)
    numbers = _numbers(name, indices.flatten(), np.int64)
    if len(numbers) and (numbers.min() < 0 or numbers.max() >= MOST_TERMS):
        raise _wrong(f"the sparse vectors {name!r} have an index outside 0 to {MOST_TERMS - 1}", name)
    return in_order(name, numbers, _numbers(name, values.flatten(), np.float32), bounds_of(lengths), rows)


def _multi(name: str, column: pa.Array, rows: npt.NDArray[np.int64] | None) -> MultiVectorColumn:
    inner = column.flatten()
    if inner.null_count:
        raise _wrong(f"the vectors {name!r} hold nulls", name)
    if len(inner) == 0:
        raise _wrong(f"the multi-vectors {name!r} have no rows", name)
    return MultiVectorColumn(name=name, values=_table(name, inner), bounds=bounds_of(_lengths(column)), rows=rows)


def _are_equally_long(column: pa.Array, width: int) -> bool:
    return bool(width > 0 and pc.all(pc.equal(pc.list_value_length(column), width)).as_py())


def _payloads(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Return the further columns as payloads; a column `payload` holds whole ones, as JSON text or as structures."""
    rows: list[dict[str, Any]] = batch.to_pylist() if batch.num_columns else [{}] * batch.num_rows
    payloads = []
    for row in rows:
        whole = row.pop(_PAYLOAD, None) if row else None
        if isinstance(whole, str):
            try:
                whole = json.loads(whole, parse_constant=_no_number)
            except ValueError as error:
                raise _wrong(f"a payload is no JSON: {error}", _PAYLOAD) from error
        if whole is not None and not isinstance(whole, dict):
            raise _wrong("a payload must be a JSON object", _PAYLOAD)
        payloads.append({**(whole or {}), **{key: _plain(value) for key, value in row.items() if value is not None}})
    return payloads


def _plain(value: Any) -> Any:
    """Return a value as JSON can carry it: times and the like as text, numbers that are none as null."""
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
