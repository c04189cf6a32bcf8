from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoald.adapters.parquet.run_tables import ParquetRunTables
from shoald.application.ports.run_tables import Columns
from shoald.domain.failures import DataCorrupt

TABLES = ParquetRunTables()


def written(columns: Columns, path: Path) -> str:
    sink = io.BytesIO()
    rows = TABLES.write(sink, columns, metadata={"shoal.run_id": "run_1"})
    assert rows == len(columns["point_id"])
    path.write_bytes(sink.getvalue())
    return str(path)


def members(n: int) -> Columns:
    labels = np.sort(np.arange(n) % 3)
    return {
        "point_id": np.array([f"d{at:06d}".encode() for at in range(n)]),
        "cluster_id": [f"cl_{label}" for label in labels],
        "x": np.linspace(0, 1, n, dtype=np.float32),
        "z": np.full(n, np.nan, dtype=np.float32),
    }


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = written(members(10), tmp_path / "a.parquet")
    (batch,) = TABLES.read(path)
    assert batch["point_id"][3] == "d000003"
    assert batch["cluster_id"] == ["cl_0"] * 4 + ["cl_1"] * 3 + ["cl_2"] * 3
    assert batch["z"] == [None] * 10
    assert pq.read_schema(path).metadata[b"shoal.run_id"] == b"run_1"


def test_vectors_texts_and_keywords_may_be_missing(tmp_path: Path) -> None:
    columns: Columns = {
        "point_id": ["a", "b"],
        "centroid_vector": [np.array([1, 2], np.float32), None],
        "label": [None, None],
        "keywords": [["x", "y"], []],
        "matrix": np.ones((2, 3), np.float32),
        "flag": [True, False],
        "n": [1, None],
    }
    (batch,) = TABLES.read(written(columns, tmp_path / "a.parquet"))
    assert batch["centroid_vector"][0].tolist() == [1, 2]
    assert batch["centroid_vector"][1] is None
    assert (batch["label"], batch["keywords"], batch["flag"], batch["n"]) == (
        [None, None],
        [["x", "y"], []],
        [True, False],
        [1, None],
    )
    assert batch["matrix"][1].tolist() == [1, 1, 1]


def test_one_group_is_read_alone(tmp_path: Path) -> None:
    path = written(members(3000), tmp_path / "a.parquet")
    found = [
        one for batch in TABLES.read(path, where=("cluster_id", "cl_1"), batch_rows=100) for one in batch["point_id"]
    ]
    assert found == [f"d{at:06d}" for at in range(1000, 2000)]
    assert list(TABLES.read(path, where=("cluster_id", "cl_9"))) == []


def test_columns_are_chosen(tmp_path: Path) -> None:
    (batch,) = TABLES.read(written(members(5), tmp_path / "a.parquet"), columns=["x", "nope"])
    assert list(batch) == ["x"]


def test_arrow_messages_stand_alone_and_stay_small(tmp_path: Path) -> None:
    path = written(members(20_000), tmp_path / "a.parquet")
    messages = list(TABLES.arrow_messages(path, max_bytes=100_000))
    assert all(len(body) <= 100_000 for body, _ in messages)
    tables = [pa.ipc.open_stream(body).read_all() for body, _ in messages]
    assert [table.num_rows for table in tables] == [rows for _, rows in messages]
    assert pa.concat_tables(tables).column("point_id").to_pylist() == [f"d{at:06d}" for at in range(20_000)]


def test_a_stream_trusts_the_hash_that_was_compared_when_the_file_was_lent(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    written(members(2000), path)
    body, page = bytearray(path.read_bytes()), np.linspace(0, 1, 2000, dtype=np.float32).tobytes()
    # a number in the middle of a column that is stored as it is
    body[body.index(page[2000:2040])] ^= 0x01
    path.write_bytes(bytes(body))
    with pytest.raises(DataCorrupt):
        list(TABLES.read(str(path)))
    assert sum(rows for _, rows in TABLES.arrow_messages(str(path), max_bytes=1 << 20)) == 2000


def test_a_damaged_file_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    written(members(2000), path)
    body = bytearray(path.read_bytes())
    body[len(body) // 3] ^= 0xFF
    path.write_bytes(bytes(body))
    with pytest.raises(DataCorrupt):
        list(TABLES.read(str(path)))
    path.write_bytes(b"PAR1")
    with pytest.raises(DataCorrupt):
        list(TABLES.read(str(path)))
