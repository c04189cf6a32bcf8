"""Some rows of a file, and files that are written again with other columns."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from shoald.adapters.parquet.run_tables import ParquetRunTables
from shoald.application.ports.run_tables import Columns
from shoald.domain.failures import DataCorrupt

ROWS = 150_000
TABLES = ParquetRunTables()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of three row groups, whose second half belongs to another feature."""
    found: Path = tmp_path_factory.mktemp("tables") / "members.parquet"
    columns: Columns = {
        "point_id": np.array([b"d%06d" % at for at in range(ROWS)]),
        "cluster_id": [f"cl_{at * 3 // ROWS}" for at in range(ROWS)],
        "cluster_label": [f"label {at * 3 // ROWS}" for at in range(ROWS)],
        "feature": ["v" if at < ROWS // 2 else "w" for at in range(ROWS)],
        "x": np.arange(ROWS, dtype=np.float32),
    }
    with found.open("wb") as file:
        TABLES.write(file, columns, metadata={})
    return str(found)


def drawn(path: str, most: int, where: tuple[str, str] | None = None) -> tuple[list[str], list[float]]:
    batches = list(TABLES.drawn(path, columns=["point_id", "x"], most=most, where=where))
    ids = [one for batch in batches for one in batch["point_id"]]
    return ids, [float(one) for batch in batches for one in batch["x"]]


@pytest.mark.parametrize("most", [1, 7, 65_536, 65_537, ROWS - 1, ROWS, 10 * ROWS])
def test_rows_are_taken_at_equal_steps(path: str, most: int) -> None:
    ids, places = drawn(path, most)
    taken = min(most, ROWS)
    expected = [at * ROWS // taken for at in range(taken)]
    assert places == expected
    assert ids == [f"d{at:06d}" for at in expected]


def test_rows_of_one_feature_are_counted_and_taken_apart(path: str) -> None:
    assert TABLES.count(path, where=("feature", "w")) == ROWS // 2
    _, places = drawn(path, 5, where=("feature", "w"))
    assert places == [ROWS // 2 + at * (ROWS // 2) // 5 for at in range(5)]
    assert drawn(path, 5, where=("feature", "other")) == ([], [])


def test_labels_are_replaced_and_nothing_else(path: str) -> None:
    sink = io.BytesIO()
    assert TABLES.relabeled(path, sink, {"cl_1": "Given", "cl_9": "nowhere"}) == ROWS
    before, after = pq.read_table(path), pq.read_table(sink)
    assert after.schema.equals(before.schema)
    assert after.drop_columns(["cluster_label"]).equals(before.drop_columns(["cluster_label"]))
    labels = dict(zip(after["cluster_id"].to_pylist(), after["cluster_label"].to_pylist(), strict=True))
    assert labels == {"cl_0": "label 0", "cl_1": "Given", "cl_2": "label 2"}


def test_columns_of_numbers_are_replaced_and_keep_their_type(path: str) -> None:
    sink = io.BytesIO()
    values = np.where(np.arange(ROWS) % 2 == 0, np.nan, np.arange(ROWS) / 2)
    assert TABLES.replaced(path, sink, {"x": values}) == ROWS
    before, after = pq.read_table(path), pq.read_table(sink)
    assert after.schema.equals(before.schema)
    assert after["x"].null_count == ROWS // 2
    assert after["x"][70_001].as_py() == 35_000.5
    assert after.drop_columns(["x"]).equals(before.drop_columns(["x"]))


def test_a_file_that_is_damaged_is_named_so(tmp_path: Path) -> None:
    damaged = tmp_path / "members.parquet"
    damaged.write_bytes(b"PAR1 nothing PAR1")
    for read in (
        lambda: list(TABLES.drawn(str(damaged), columns=["x"], most=3)),
        lambda: TABLES.count(str(damaged), where=("feature", "v")),
        lambda: TABLES.relabeled(str(damaged), io.BytesIO(), {"cl_0": "x"}),
    ):
        with pytest.raises(DataCorrupt):
            read()
