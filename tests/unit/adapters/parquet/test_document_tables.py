from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoald.adapters.parquet import document_tables
from shoald.adapters.parquet.document_tables import ArrowDocumentTables
from shoald.domain.failures import InvalidFields
from shoald.domain.records.collection import MultiVectorColumn, SparseColumn

TABLES = ArrowDocumentTables()
TERMS = pa.schema(
    {"id": pa.string(), "s": pa.struct({"indices": pa.list_(pa.int64()), "values": pa.list_(pa.float32())})}
)
VECTORS = np.arange(12, dtype=np.float32).reshape(4, 3)


def table(**columns: Any) -> pa.Table:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(VECTORS.reshape(-1)), 3)
    return pa.table({"document_id": ["a", "b", "c", "d"], "text": vectors, **columns})


def stream(of: pa.Table, *, rows: int = 2) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, of.schema) as writer:
        writer.write_table(of, max_chunksize=rows)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_stream_may_be_cut_anywhere(size: int) -> None:
    body = stream(table(title=["A", "B", None, "D"]))
    batches = list(TABLES.from_stream(body[at : at + size] for at in range(0, len(body), size)))
    assert [one for batch in batches for one in batch.ids] == ["a", "b", "c", "d"]
    assert [one for batch in batches for one in batch.payloads] == [{"title": "A"}, {"title": "B"}, {}, {"title": "D"}]
    assert np.array_equal(np.concatenate([batch.vectors[0].values for batch in batches]), VECTORS)


def test_lists_of_doubles_nulls_and_whole_payloads() -> None:
    given = pa.table(
        {
            "id": [1, 2, 3],
            "v": pa.array([[1.5, 2.0], None, [3.0, 4.0]], type=pa.list_(pa.float64())),
            "payload": [json.dumps({"k": 1}), None, "{}"],
            "day": pa.array([0, 1, None], type=pa.date32()),
        }
    )
    (batch,) = TABLES.from_stream([stream(given, rows=9)])
    assert batch.ids == ["1", "2", "3"]
    assert batch.payloads == [{"k": 1, "day": "1970-01-01"}, {"day": "1970-01-02"}, {}]
    (column,) = batch.vectors
    assert column.rows is not None
    assert column.rows.tolist() == [0, 2]
    assert column.values.tolist() == [[1.5, 2.0], [3.0, 4.0]]


def test_sparse_and_multi_vectors_come_as_structs_and_lists_of_lists() -> None:
    terms = pa.struct({"indices": pa.list_(pa.int64()), "values": pa.list_(pa.float64())})
    given = pa.table(
        {
            "id": ["a", "b", "c"],
            "s": pa.array([{"indices": [9, 4], "values": [1, 2]}, None, {"indices": [5], "values": [3]}], type=terms),
            "m": pa.array([[[1, 2]], [[3, 4], [5, 6]], None], type=pa.list_(pa.list_(pa.float32(), 2))),
            "about": [{"indices": [1], "other": 2}] * 3,
        }
    ).slice(0, 3)
    (batch,) = TABLES.from_stream([stream(given, rows=9)])
    sparse, multi = batch.vectors
    assert isinstance(sparse, SparseColumn)
    assert isinstance(multi, MultiVectorColumn)
    assert (sparse.indices.tolist(), sparse.values.tolist(), sparse.bounds.tolist()) == (
        [4, 9, 5],
        [2, 1, 3],
        [0, 2, 3],
    )
    assert (multi.values.tolist(), multi.bounds.tolist()) == ([[1, 2], [3, 4], [5, 6]], [0, 1, 3])
    assert [None if one.rows is None else one.rows.tolist() for one in batch.vectors] == [[0, 2], [0, 1]]
    assert batch.payloads[0] == {"about": {"indices": [1], "other": 2}}
    (half,) = TABLES.from_stream([stream(given.slice(1, 2), rows=9)])
    assert half.vectors[0].values.tolist() == [3]


def test_slices_of_a_batch_keep_their_own_vectors() -> None:
    (batch,) = TABLES.from_stream([stream(table().slice(1, 2))])
    assert batch.vectors[0].values.tolist() == VECTORS[1:3].tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (b"no arrow", "no Arrow"),
        (b"", "no Arrow"),
        (stream(pa.table({"v": [[1.0]]})), "no column document_id"),
        (stream(pa.table({"id": ["a", None]})), "every document needs an id"),
        (stream(pa.table({"id": ["a", "b"], "v": [[1.0], [1.0, 2.0]]})), "different lengths"),
        (stream(pa.table({"id": ["a"], "v": [[1.0, None]]})), "hold nulls"),
        (stream(pa.table({"id": ["a"], "s": [{"indices": [1, 2], "values": [1.0]}]})), "not as many values"),
        (stream(pa.table({"id": ["a"], "s": [{"indices": [2**31], "values": [1.0]}]})), "an index outside"),
        (stream(pa.table({"id": ["a"], "s": [{"indices": [1], "values": [None, 1.0][:1]}]}).cast(TERMS)), "hold nulls"),
        (stream(pa.table({"id": ["a"], "m": [[[1.0], [1.0, 2.0]]]})), "different lengths"),
        (stream(pa.table({"id": ["a"], "m": [[[1.0], None]]})), "hold nulls"),
        (stream(pa.table({"id": ["a"], "payload": ["{"]})), "no JSON"),
        (stream(pa.table({"id": ["a"], "payload": ["3"]})), "must be a JSON object"),
        (stream(table())[:-200], "cannot be read|no Arrow"),
    ],
)
def test_what_cannot_be_stored_says_why(given: bytes, message: str) -> None:
    with pytest.raises(InvalidFields, match=message):
        list(TABLES.from_stream([given]))


def test_files_by_their_ending(tmp_path: Path) -> None:
    pq.write_table(table(title=list("wxyz")), tmp_path / "a.parquet")
    np.save(tmp_path / "b.npy", np.ones((11, 2)))
    lines = [
        {"document_id": "x", "v": [1, 2], "tags": ["t"], "n": 5},
        {"id": "y", "vectors": {"v": [3, 4]}, "payload": {"k": 1}},
    ]
    (tmp_path / "c.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    (tmp_path / "d.arrow").write_bytes(stream(table()))
    (a,) = TABLES.from_file(str(tmp_path / "a.parquet"))
    assert (a.payloads[3], a.vectors[0].values.shape, TABLES.rows_in(str(tmp_path / "a.parquet"))) == (
        {"title": "z"},
        (4, 3),
        4,
    )
    (b,) = TABLES.from_file(str(tmp_path / "b.npy"))
    assert (b.ids[0], b.ids[10], TABLES.rows_in(str(tmp_path / "b.npy"))) == ("00", "10", 11)
    (c,) = TABLES.from_file(str(tmp_path / "c.jsonl"))
    assert (c.ids, c.payloads) == (["x", "y"], [{"tags": ["t"], "n": 5}, {"k": 1}])
    assert c.vectors[0].values.tolist() == [[1, 2], [3, 4]]
    assert TABLES.rows_in(str(tmp_path / "c.jsonl")) == 3  # the empty line too
    assert TABLES.rows_in(str(tmp_path / "d.arrow")) is None
    assert sum(len(batch.ids) for batch in TABLES.from_file(str(tmp_path / "d.arrow"))) == 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", b"", r"\*.xlsx are not read"),
        ("a.parquet", b"PAR1", "no Parquet"),
        ("a.npy", b"junk", "no array"),
        ("a.jsonl", b'{"document_id":"a"}\n{', "line 2 is no JSON"),
        ("a.jsonl", b'{"v":[1,2]}', "line 1 has no document_id"),
        ("a.jsonl", b"[1]", "line 1 is no JSON object"),
        ("a.jsonl", b'{"id":"a","n":NaN}', "line 1 is no JSON: NaN"),
        ("a.jsonl", b'{"id":"a","vectors":[1,2]}', "line 1: vectors must be an object"),
        ("a.jsonl", b'{"id":"a","payload":"x"}', "line 1: payload must be an object"),
        (
            "a.jsonl",
            b'{"id":"a","v":[1,2]}\n{"id":"b","v":[1,2,3]}',
            "one length: that of document 'a' has 2, that of 'b' 3",
        ),
    ],
)
def test_a_bad_file_says_why(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFields, match=message):
        list(TABLES.from_file(str(tmp_path / name)))


def test_beside_named_vectors_lists_of_numbers_are_payload(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id":"a","vectors":{"v":[1,2]},"years":[2020,2021]}')
    (batch,) = TABLES.from_file(str(tmp_path / "a.jsonl"))
    assert ([column.name for column in batch.vectors], batch.payloads) == (["v"], [{"years": [2020, 2021]}])


def test_lines_hold_vectors_of_every_kind(tmp_path: Path) -> None:
    lines = [
        {"id": "a", "s": {"indices": [3, 1], "values": [1, 2]}, "boxes": [[1, 2], [3, 4]]},
        {"id": "b", "vectors": {"s": {"indices": [0], "values": [5]}, "m": [[1, 2], [3, 4]]}},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (batch,) = TABLES.from_file(str(tmp_path / "a.jsonl"))
    sparse, multi = batch.vectors
    assert isinstance(sparse, SparseColumn)
    assert isinstance(multi, MultiVectorColumn)
    assert (sparse.indices.tolist(), sparse.values.tolist(), sparse.rows) == ([1, 3, 0], [2, 1, 5], None)
    assert (multi.values.tolist(), multi.bounds.tolist()) == ([[1, 2], [3, 4]], [0, 2])
    assert batch.payloads == [{"boxes": [[1, 2], [3, 4]]}, {}]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ([{"indices": [1, 2], "values": [1]}], "document '0' has 2 indices and 1 values"),
        ([[[1], [1, 2]]], "rows of 1 to 2 numbers"),
        ([[[1, 2]], [[1, 2, 3]]], "rows of different lengths"),
        ([[1, 2], {"indices": [1], "values": [1]}], "several kinds"),
    ],
)
def test_lines_with_bad_vectors_say_why(tmp_path: Path, vectors: list[Any], message: str) -> None:
    lines = [json.dumps({"id": str(at), "vectors": {"v": one}}) for at, one in enumerate(vectors)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    with pytest.raises(InvalidFields, match=message):
        list(TABLES.from_file(str(tmp_path / "a.jsonl")))


def test_a_file_that_is_damaged_further_on_says_so(tmp_path: Path) -> None:
    wide = pa.table({"id": [str(n) for n in range(9000)], "v": [[float(n)] for n in range(9000)]})
    pq.write_table(wide, tmp_path / "a.parquet", use_dictionary=False, compression="none")
    body = bytearray((tmp_path / "a.parquet").read_bytes())
    body[4:40] = bytes(36)
    (tmp_path / "a.parquet").write_bytes(body)
    with pytest.raises(InvalidFields, match="damaged"):
        list(TABLES.from_file(str(tmp_path / "a.parquet")))


def test_a_record_batch_that_is_too_large_to_hold_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(document_tables, "_LARGEST_BATCH", 10_000)
    small = pa.table({"id": ["a"] * 100, "v": [[1.0] * 4] * 100})
    assert sum(len(batch.ids) for batch in TABLES.from_stream([stream(small)])) == 100
    large = pa.table({"id": ["a"] * 1000, "v": [[1.0] * 4] * 1000})
    with pytest.raises(InvalidFields, match="send batches of at most 10000 bytes"):
        list(TABLES.from_stream([stream(large, rows=1000)]))


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidFields, match="no array"):
        list(TABLES.from_file(str(tmp_path / "a.npy")))
