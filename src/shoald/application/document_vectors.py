"""Vectors as callers bring them go in; checked arrays and the configuration that they follow come out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.ragged_vectors import (
    BadVectorError,
    chosen,
    dimension_of,
    flaws,
    is_numbers,
    kind_of,
    matrix_of,
    multi_column,
    sparse_column,
    terms_of,
)
from shoald.domain.failures import InvalidFields, InvalidVectors
from shoald.domain.json_types import JsonObject, flaw_of
from shoald.domain.records.collection import (
    AnyVectorColumn,
    DocumentBatch,
    SparseColumn,
    VectorColumn,
    VectorConfig,
)
from shoald.domain.vocabulary import VectorKind

_NAMED_AT_MOST = 5
DEFAULT_METRIC = "cosine"
OWN_KEYS = frozenset({"document_id", "collection_id", "_vectors", "_internal"})
"""Root keys of a document's JSON that no payload and no vector may have."""

_LONGEST_NAME = 200
_LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class IncomingDocument:
    """One document of a call, its vectors by name: lists of numbers, objects of indices and values, or lists of lists;
    arrays stand for lists.
    """

    document_id: str
    payload: JsonObject
    vectors: Mapping[str, Any]


def batch_of(documents: Sequence[IncomingDocument]) -> DocumentBatch:
    """Put documents together for storing; raises `InvalidVectors` for what is no vector, or unlike the others."""
    names = dict.fromkeys(name for one in documents for name in one.vectors)
    return DocumentBatch(
        ids=[one.document_id for one in documents],
        payloads=[one.payload for one in documents],
        vectors=[_column(name, documents) for name in names],
    )


def _column(name: str, documents: Sequence[IncomingDocument]) -> AnyVectorColumn:
    rows = [at for at, one in enumerate(documents) if name in one.vectors]
    given = [documents[at] for at in rows]
    kind = _one_kind(name, given)
    at = None if len(rows) == len(documents) else np.asarray(rows, dtype=np.int64)
    if kind is VectorKind.SPARSE:
        return sparse_column(name, [_read(terms_of, name, one) for one in given], at)
    arrays = [_read(matrix_of if kind is VectorKind.MULTI_VECTOR else _row, name, one) for one in given]
    width = arrays[0].shape[-1]
    for document, array in zip(given, arrays, strict=True):
        if array.shape[-1] != width:
            raise _wrong_dimension(name, document.document_id, width, array.shape[-1])
    if kind is VectorKind.MULTI_VECTOR:
        return multi_column(name, arrays, at)
    return VectorColumn(name=name, values=np.stack(arrays), rows=at)


def _one_kind(name: str, documents: Sequence[IncomingDocument]) -> VectorKind:
    """Return the kind of all vectors of one name; raises `InvalidVectors` where there are several."""
    first, *others = documents
    kind = kind_of(first.vectors[name])
    for one in others:
        other = kind_of(one.vectors[name])
        if other is not kind:
            message = (
                f"is {_said(other)}, that of document {first.document_id!r} {_said(kind)}; all must be of one kind"
            )
            raise _bad(name, one, message)
    return kind


def _said(kind: VectorKind | str) -> str:
    return "a multi-vector" if kind == VectorKind.MULTI_VECTOR else str(kind)


def _read(reading: Callable[[Any], Any], name: str, document: IncomingDocument) -> Any:
    try:
        return reading(document.vectors[name])
    except BadVectorError as problem:
        raise _bad(name, document, str(problem)) from problem


def _bad(name: str, document: IncomingDocument, problem: str) -> InvalidVectors:
    message = f"The vector {name!r} of document {document.document_id!r} {problem}."
    return InvalidVectors(message, detail={"document_id": document.document_id, "vector": name})


def _row(given: Any) -> npt.NDArray[np.float32]:
    if not isinstance(given, np.ndarray) and not is_numbers(given):
        raise BadVectorError("must be a list of numbers")
    with np.errstate(over="ignore"):
        return np.asarray(given, dtype=np.float32)


def _wrong_dimension(name: str, document_id: str, expected: int, got: int) -> InvalidVectors:
    return InvalidVectors(
        f"The vector {name!r} of document {document_id!r} has {got} components; {expected} are expected.",
        detail={"document_id": document_id, "vector": name, "expected": expected, "got": got},
    )


def configs_for(known: Sequence[VectorConfig], batch: DocumentBatch) -> tuple[VectorConfig, ...]:
    """Return the configuration that the batch's vectors follow: the known one or, where there is none, their own.

    Raises `InvalidVectors` for names that nothing could find afterwards.
    """
    if known:
        return tuple(known)
    for column in batch.vectors:
        if column.name in OWN_KEYS or not 0 < len(column.name) <= _LONGEST_NAME:
            message = f"A vector cannot be named {column.name[:_LONGEST_NAME]!r}."
            raise InvalidVectors(message, detail={"vector": column.name[:_LONGEST_NAME]})
    return tuple(
        VectorConfig(name=column.name, dimension=dimension_of(column), metric=DEFAULT_METRIC, kind=column.kind.value)
        for column in batch.vectors
    )


def check_ids(batch: DocumentBatch) -> None:
    """Raise `InvalidFields` for a document without an id, or with one that is longer than ids may be."""
    for one in batch.ids:
        if not 0 < len(one) <= _LONGEST_ID:
            message = f"an id has 1 to {_LONGEST_ID} characters; this one has {len(one)}"
            raise InvalidFields.field("body", "document_id", message=message, value=one[:_LONGEST_ID])


def check_payloads(batch: DocumentBatch) -> None:
    """Raise `InvalidFields` for a payload that could not be shown again as it was given."""
    for document_id, payload in zip(batch.ids, batch.payloads, strict=True):
        if flaw := flaw_of(payload):
            raise InvalidFields.field("body", "payload", message=f"{flaw} (document {document_id!r})")


def check_vectors(batch: DocumentBatch, configs: Iterable[VectorConfig]) -> None:
    """Raise `InvalidVectors` for a vector that the collection has not, of another kind or the wrong dimension, or that
    is no direction.

    Every number must be finite in 32 bits; under the cosine metric not all may be zero. The terms of a sparse vector
    are told apart by their indices, which lie below its dimension; the rows of a multi-vector have one width.
    """
    by_name = {config.name: config for config in configs}
    for column in batch.vectors:
        config = by_name.get(column.name)
        if config is None:
            known = ", ".join(sorted(by_name)) or "none"
            message = f"The collection has no vector {column.name!r}; it has {known}."
            raise InvalidVectors(message, detail={"vector": column.name, "known": sorted(by_name)})
        _check_shape(batch, column, config)
        for bad, what in flaws(column, config.dimension, needs_direction=config.metric == DEFAULT_METRIC):
            _refuse_rows(batch, column, bad, what)


def _check_shape(batch: DocumentBatch, column: AnyVectorColumn, config: VectorConfig) -> None:
    first = batch.ids[0 if column.rows is None else int(column.rows[0])]
    if column.kind != config.kind:
        message = (
            f"The vector {column.name!r} of document {first!r} is {_said(column.kind)}; "
            f"in the collection it is {_said(config.kind)}."
        )
        raise InvalidVectors(message, detail={"document_id": first, "vector": column.name})
    if not isinstance(column, SparseColumn) and column.values.shape[1] != config.dimension:
        raise _wrong_dimension(column.name, first, config.dimension, column.values.shape[1])


def _refuse_rows(batch: DocumentBatch, column: AnyVectorColumn, bad: npt.NDArray[np.bool_], what: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows) == 0:
        return
    of_batch = rows if column.rows is None else column.rows[rows]
    named = [batch.ids[int(row)] for row in of_batch[:_NAMED_AT_MOST]]
    message = f"Vectors {column.name!r} that {what}: {len(rows)}, of documents {', '.join(named)}"
    raise InvalidVectors(
        message + ("." if len(rows) <= _NAMED_AT_MOST else " and more."),
        detail={"vector": column.name, "document_ids": named, "count": len(rows)},
    )


def without_own_keys(batch: DocumentBatch) -> DocumentBatch:
    """Return the batch with payload keys that a document's own keys would hide under `source_` and the key."""
    hidden = OWN_KEYS | {column.name for column in batch.vectors}
    if not any(hidden & payload.keys() for payload in batch.payloads):
        return batch
    payloads = [
        {f"source_{key}" if key in hidden else key: value for key, value in payload.items()}
        for payload in batch.payloads
    ]
    return replace(batch, payloads=payloads)


def last_of_each(batch: DocumentBatch) -> DocumentBatch:
    """Return the batch without documents whose id comes again later in it."""
    last = {one: at for at, one in enumerate(batch.ids)}
    if len(last) == len(batch.ids):
        return batch
    kept = np.asarray(sorted(last.values()), dtype=np.int64)
    place = np.full(len(batch.ids), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    columns = []
    for column in batch.vectors:
        rows = np.arange(len(batch.ids)) if column.rows is None else column.rows
        last_ones = np.flatnonzero(place[rows] >= 0)
        if len(last_ones):
            columns.append(chosen(column, last_ones, place[rows[last_ones]]))
    return DocumentBatch(
        ids=[batch.ids[int(at)] for at in kept], payloads=[batch.payloads[int(at)] for at in kept], vectors=columns
    )
