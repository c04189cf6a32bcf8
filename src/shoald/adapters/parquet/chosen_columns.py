"""A file of which one column of vectors is wanted comes in; its documents go out, numbered where they have no ids."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from shoald.adapters.parquet.document_tables import (
    ID_COLUMNS,
    ArrowDocumentTables,
    arrow_batches,
    from_batches,
    from_objects,
    objects_in,
    parquet_batches,
)
from shoald.domain.failures import InvalidFields
from shoald.domain.records.collection import DocumentBatch

_TABLES = {".parquet": parquet_batches, ".arrow": arrow_batches}
_LINES = {".jsonl", ".ndjson"}
_ID = ID_COLUMNS[0]
_NUMBER = "{:09d}"
"""Rows without ids are numbered so that the order of their ids is theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenColumns:
    """Columns by name: of vectors (None: the only one that there is), of ids (None: one that is named as ids are,
    else rows are numbered), and others that must be there; of these, dots lead to fields within.
    """

    vectors: str | None = None
    ids: str | None = None
    others: tuple[str, ...] = ()


def chosen_documents(path: str, chosen: ChosenColumns) -> Iterator[DocumentBatch]:
    """Yield the documents of a .parquet, .arrow, .jsonl, .ndjson or .npy file with the chosen vectors only.

    All other columns become payload, but those of other vectors. Raises `InvalidFields` that names the columns that
    there are, or what is wrong with the file.
    """
    ending = Path(path).suffix.lower()
    if ending in _TABLES:
        yield from from_batches(_of_tables(_TABLES[ending](path), chosen))
    elif ending in _LINES:
        yield from from_objects(_of_objects(objects_in(path), chosen))
    else:
        _refuse_names(ending, chosen)
        yield from ArrowDocumentTables().from_file(path)


def _refuse_names(ending: str, chosen: ChosenColumns) -> None:
    named = [name for name in (chosen.vectors, chosen.ids, *chosen.others) if name]
    if ending == ".npy" and named:
        raise _wrong(f"an array has no columns, so none is named {named[0]!r}; its rows are the vectors")


def _wrong(message: str) -> InvalidFields:
    return InvalidFields.field("body", message=message)


def _of_tables(batches: Iterable[pa.RecordBatch], chosen: ChosenColumns) -> Iterator[pa.RecordBatch]:
    start = 0
    for batch in batches:
        yield _chosen(batch, chosen, start)
        start += batch.num_rows


def _chosen(batch: pa.RecordBatch, chosen: ChosenColumns, start: int) -> pa.RecordBatch:
    names = batch.schema.names
    _require(names, chosen)
    vectors = chosen.vectors or _only(name for name in names if _are_surely_vectors(batch, name))
    if not _are_vectors(batch.schema.field(vectors).type):
        found = [field.name for field in batch.schema if _are_vectors(field.type)]
        raise _wrong(f"the column {vectors!r} holds no vectors; {_there(found)}")
    ids = chosen.ids or next((name for name in ID_COLUMNS if name in names), None)
    rows = range(start, start + batch.num_rows)
    columns = {_ID: pa.array(map(_NUMBER.format, rows)) if ids is None else batch.column(ids)}
    columns |= {vectors: _floats(batch.column(vectors))}
    columns |= {
        name: batch.column(name)
        for name in names
        if name not in {ids, _ID, vectors} and not _are_surely_vectors(batch, name)
    }
    return pa.RecordBatch.from_pydict(columns)


def _require(names: Iterable[str], chosen: ChosenColumns) -> None:
    there = list(names)
    fields = [name.partition(".")[0] for name in chosen.others]
    for name in (chosen.vectors, chosen.ids, *fields):
        if name and name not in there:
            raise _wrong(f"there is no column {name!r}; there are {', '.join(there)}")


def _only(found: Iterable[str]) -> str:
    names = list(found)
    if len(names) != 1:
        raise _wrong(f"{_there(names)}: name one with --vectors")
    return names[0]


def _there(names: list[str]) -> str:
    return f"columns of vectors: {', '.join(names)}" if names else "there are no columns of vectors"


def _are_vectors(kind: pa.DataType) -> bool:
    """Say whether these are lists of numbers, one for each row."""
    is_list = kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind)
    return bool(is_list and (kinds.is_floating(kind.value_type) or kinds.is_integer(kind.value_type)))


def _are_surely_vectors(batch: pa.RecordBatch, name: str) -> bool:
    """Say whether a column that nobody named holds vectors: lists of whole numbers may be anything, and are payload."""
    kind = batch.schema.field(name).type
    return _are_vectors(kind) and bool(kinds.is_floating(kind.value_type))


def _floats(column: pa.Array) -> pa.Array:
    """Return vectors of whole numbers as such of floats, all others as they are."""
    if kinds.is_floating(column.type.value_type):
        return column
    return column.cast(pa.list_(pa.float32()))


def _of_objects(objects: Iterable[dict[str, Any]], chosen: ChosenColumns) -> Iterator[dict[str, Any]]:
    for row, line in enumerate(objects):
        yield _chosen_object(line, chosen, row)


def _chosen_object(line: dict[str, Any], chosen: ChosenColumns, row: int) -> dict[str, Any]:
    number = line.pop("_line")
    inner = line.pop("vectors", None) if chosen.vectors != "vectors" else None
    line |= inner if isinstance(inner, dict) else {}
    found = [name for name, value in line.items() if _is_vector(value)]
    vectors = chosen.vectors or (found[0] if len(found) == 1 else None)
    if vectors is None or vectors not in found:
        raise _wrong(
            f"line {number} has no vector {vectors!r}" if vectors else f"line {number}: {_there(found)}: name one"
        )
    ids = chosen.ids or next((name for name in ID_COLUMNS if name in line), None)
    if chosen.ids and chosen.ids not in line:
        raise _wrong(f"line {number} has no {chosen.ids!r}")
    given = _NUMBER.format(row) if ids is None else line.pop(ids)
    vector = line[vectors]
    others = {name: value for name, value in line.items() if name not in {*found, _ID}}
    return {**others, _ID: given, "vectors": {vectors: vector}, "_line": number}


def _is_vector(value: Any) -> bool:
    is_list = isinstance(value, list) and len(value) > 1
    return is_list and all(
        isinstance(one, int | float) and not isinstance(one, bool) for one in itertools.islice(value, 8)
    )
