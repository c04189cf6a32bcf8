from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shoald.adapters.parquet.chosen_columns import ChosenColumns, chosen_documents
from shoald.domain.failures import InvalidFields

VECTORS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def parquet(folder: Path, columns: Mapping[str, Any]) -> str:
    pq.write_table(pa.table(dict(columns)), folder / "v.parquet")
    return str(folder / "v.parquet")


def lines(folder: Path, *rows: Mapping[str, Any]) -> str:
    (folder / "v.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(folder / "v.jsonl")


def read(path: str, **chosen: Any) -> tuple[list[str], list[Any], dict[str, list[list[float]]]]:
    """Return ids, payloads and vectors of a small file."""
    (batch,) = chosen_documents(path, ChosenColumns(**chosen))
    vectors = {column.name: np.asarray(column.values).tolist() for column in batch.vectors}
    return list(batch.ids), list(batch.payloads), vectors


def test_the_chosen_vectors_are_taken_and_the_others_left(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"id": ["a", "b", "c"], "v": VECTORS, "w": VECTORS, "text": ["x", "y", "z"]})
    ids, payloads, vectors = read(path, vectors="w", others=("text",))
    assert (ids, vectors) == (["a", "b", "c"], {"w": VECTORS})
    assert payloads == [{"text": "x"}, {"text": "y"}, {"text": "z"}]


def test_the_only_vectors_need_no_name_and_rows_without_ids_are_numbered(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"v": VECTORS, "tags": [[1], [2, 3], []]})
    ids, payloads, vectors = read(path)
    assert ids == ["000000000", "000000001", "000000002"]
    assert payloads == [{"tags": [1]}, {"tags": [2, 3]}, {"tags": []}]
    assert vectors == {"v": VECTORS}


def test_numbers_go_on_from_batch_to_batch(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"v": np.ones((5000, 2), np.float32).tolist()})
    ids = [one for batch in chosen_documents(path, ChosenColumns()) for one in batch.ids]
    assert ids == [f"{at:09d}" for at in range(5000)]


def test_ids_may_be_numbers_of_any_column(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"paper": [7, 8, 9], "id": ["a", "b", "c"], "v": VECTORS})
    ids, payloads, _ = read(path, ids="paper")
    assert ids == ["7", "8", "9"]
    assert payloads[0] == {"id": "a"}


def test_named_vectors_of_whole_numbers_are_vectors(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"v": [[1, 2], [3, 4], [5, 6]]})
    assert read(path, vectors="v")[2] == {"v": VECTORS}


@pytest.mark.parametrize(
    ("columns", "chosen", "told"),
    [
        ({"v": VECTORS, "w": VECTORS}, {}, "columns of vectors: v, w: name one with --vectors"),
        ({"text": ["x"]}, {}, "there are no columns of vectors"),
        (
            {"v": VECTORS, "text": ["x", "y", "z"]},
            {"vectors": "text"},
            "'text' holds no vectors; columns of vectors: v",
        ),
        ({"v": VECTORS}, {"vectors": "vv"}, "there is no column 'vv'; there are v"),
        ({"v": VECTORS}, {"ids": "key"}, "there is no column 'key'; there are v"),
        ({"v": VECTORS}, {"others": ("text",)}, "there is no column 'text'; there are v"),
    ],
)
def test_what_cannot_be_chosen_names_what_there_is(
    tmp_path: Path, columns: dict[str, Any], chosen: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        read(parquet(tmp_path, columns), **chosen)
    assert told in refused.value.problems[0].message


def test_lines_of_json_are_chosen_from_too(tmp_path: Path) -> None:
    path = lines(tmp_path, {"key": 1, "v": [1, 2], "w": [0, 1], "text": "x"}, {"key": 2, "vectors": {"v": [3, 4]}})
    ids, payloads, vectors = read(path, vectors="v", ids="key")
    assert (ids, vectors) == (["1", "2"], {"v": [[1.0, 2.0], [3.0, 4.0]]})
    assert payloads == [{"text": "x"}, {}]


@pytest.mark.parametrize(
    ("row", "chosen", "told"),
    [
        ({"v": [1, 2], "w": [1, 2]}, {}, "line 1: columns of vectors: v, w"),
        ({"text": "x"}, {}, "line 1: there are no columns of vectors"),
        ({"v": [1, 2]}, {"vectors": "w"}, "line 1 has no vector 'w'"),
        ({"v": [1, 2]}, {"ids": "key"}, "line 1 has no 'key'"),
    ],
)
def test_a_line_without_what_was_chosen_is_named(
    tmp_path: Path, row: dict[str, Any], chosen: dict[str, Any], told: str
) -> None:
    with pytest.raises(InvalidFields) as refused:
        read(lines(tmp_path, row), **chosen)
    assert told in refused.value.problems[0].message


def test_an_array_has_rows_and_no_columns(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array(VECTORS))
    assert read(str(tmp_path / "v.npy"))[2] == {"vector": VECTORS}
    with pytest.raises(InvalidFields) as refused:
        read(str(tmp_path / "v.npy"), vectors="v")
    assert "an array has no columns, so none is named 'v'" in refused.value.problems[0].message
