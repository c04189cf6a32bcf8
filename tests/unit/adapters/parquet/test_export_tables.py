"""Rows of free JSON and of vectors, written in each format and read back."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from shoald.adapters.parquet import export_tables
from shoald.adapters.parquet.export_tables import MOST_COLUMNS, FileExportTables
from shoald.domain.failures import TooLarge
from shoald.domain.records.collection import SparseVector

ROWS: list[dict[str, Any]] = [
    {"document_id": "a", "n": 1, "share": 1, "kind": "x", "is_new": True, "tags": ["p", 2], "mixed": "7"},
    {"document_id": "b", "n": 2, "share": 0.5, "kind": "=1+1", "is_new": None, "tags": {"q": None}, "mixed": 7},
    {"document_id": "c", "kind": None},
]


def written(word: str, batches: list[list[dict[str, Any]]]) -> bytes:
    sink = io.BytesIO()
    with FileExportTables().documents(sink, word, ("document_id", "nowhere")) as table:
        for rows in batches:
            table.write(rows)
    return sink.getvalue()


def test_columns_of_parquet_have_the_type_of_all_their_values() -> None:
    table = pq.read_table(io.BytesIO(written("parquet", [ROWS[:1], ROWS[1:]])))
    types = {field.name: str(field.type) for field in table.schema}
    assert list(types)[:2] == ["document_id", "nowhere"]
    expected = {"n": "int64", "share": "double", "kind": "string", "is_new": "bool", "tags": "string"}
    assert {name: types[name] for name in expected} == expected
    assert table.column("share").to_pylist() == [1.0, 0.5, None]
    assert table.column("nowhere").to_pylist() == [None, None, None]
    assert table.column("tags").to_pylist() == ['["p",2]', '{"q":null}', None]
    assert table.column("mixed").to_pylist() == ['"7"', "7", None]


def test_row_groups_are_written_when_they_are_large_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_tables, "_GROUP_BYTES", 1)
    monkeypatch.setattr(export_tables, "_ROWS", 2)
    file = pq.ParquetFile(io.BytesIO(written("parquet", [ROWS])))
    assert (file.num_row_groups, file.read().column("document_id").to_pylist()) == (2, ["a", "b", "c"])


def test_cells_of_csv_are_text_that_no_spreadsheet_computes() -> None:
    rows = list(csv.DictReader(io.StringIO(written("csv", [ROWS]).decode())))
    assert [row["kind"] for row in rows] == ["x", "'=1+1", ""]
    assert [row["n"] for row in rows] == ["1", "2", ""]
    assert json.loads(rows[0]["tags"]) == ["p", 2]


def test_lines_of_json_are_the_rows_as_they_are() -> None:
    assert [json.loads(line) for line in written("json", [ROWS]).splitlines()] == ROWS


def test_a_table_without_rows_has_its_first_columns() -> None:
    assert pq.read_table(io.BytesIO(written("parquet", []))).column_names == ["document_id", "nowhere"]
    assert written("csv", []) == b"document_id,nowhere\n"


def test_more_columns_than_a_table_may_have_are_refused_but_not_in_json() -> None:
    row = {f"k{at}": at for at in range(MOST_COLUMNS)}
    with pytest.raises(TooLarge, match="select_fields"):
        written("parquet", [[row]])
    assert len(json.loads(written("json", [[row]]))) == MOST_COLUMNS


def vectors_in(word: str) -> bytes:
    sink = io.BytesIO()
    kinds = {"d": "dense", "m": "multi_vector", "s": "sparse"}
    sparse = SparseVector(indices=np.array([1, 5], np.int32), values=np.array([0.5, 2.0], np.float32))
    rows: list[dict[str, Any]] = [
        {"document_id": "a", "d": np.array([1.0, 2.0], np.float32), "m": np.ones((2, 3), np.float32), "s": sparse},
        {"document_id": "b"},
    ]
    with FileExportTables().vectors(sink, word, kinds) as table:
        table.write(rows)
    return sink.getvalue()


VECTORS = {"d": [1.0, 2.0], "m": [[1.0] * 3] * 2, "s": {"indices": [1, 5], "values": [0.5, 2.0]}}


def test_vectors_of_every_kind_are_written_in_every_format() -> None:
    table = pq.read_table(io.BytesIO(vectors_in("parquet"))).to_pylist()
    assert table == [{"document_id": "a", **VECTORS}, {"document_id": "b", "d": None, "m": None, "s": None}]
    lines = [json.loads(line) for line in vectors_in("json").splitlines()]
    assert lines == [{"document_id": "a", **VECTORS}, {"document_id": "b"}]
    first, second = csv.DictReader(io.StringIO(vectors_in("csv").decode()))
    assert {name: json.loads(first[name]) for name in VECTORS} == VECTORS
    assert [second[name] for name in VECTORS] == ["", "", ""]
