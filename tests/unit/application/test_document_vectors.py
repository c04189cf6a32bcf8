from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.application.document_vectors import (
    IncomingDocument,
    batch_of,
    check_ids,
    check_payloads,
    check_vectors,
    configs_for,
    last_of_each,
    without_own_keys,
)
from shoald.application.ragged_vectors import MOST_TERMS
from shoald.domain.failures import InvalidFields, InvalidVectors
from shoald.domain.records.collection import (
    AnyVectorColumn,
    DocumentBatch,
    MultiVectorColumn,
    SparseColumn,
    VectorColumn,
    VectorConfig,
)


def documents(*vectors: dict[str, Any]) -> list[IncomingDocument]:
    return [IncomingDocument(f"d{at}", {"at": at}, given) for at, given in enumerate(vectors)]


def test_documents_may_have_different_vectors() -> None:
    batch = batch_of(documents({"a": [1, 2]}, {}, {"a": [3, 4], "b": [5]}))
    a, b = batch.vectors
    assert (a.name, a.values.tolist(), a.rows.tolist() if a.rows is not None else None) == (
        "a",
        [[1, 2], [3, 4]],
        [0, 2],
    )
    assert (b.name, b.values.tolist(), b.rows.tolist() if b.rows is not None else None) == ("b", [[5]], [2])


def test_the_first_batch_decides_what_the_vectors_are() -> None:
    batch = batch_of(documents({"a": [1, 2]}))
    assert configs_for((), batch) == (VectorConfig(name="a", dimension=2, metric="cosine"),)
    known = (VectorConfig(name="z", dimension=9, metric="euclidean"),)
    assert configs_for(known, batch) == known


@pytest.mark.parametrize("name", ["document_id", "_vectors", "", "n" * 201])
def test_a_vector_has_a_name_by_which_it_can_be_read(name: str) -> None:
    with pytest.raises(InvalidVectors, match="cannot be named"):
        configs_for((), batch_of(documents({name: [1, 2]})))


@pytest.mark.parametrize("document_id", ["", "i" * 513])
def test_ids_have_the_length_that_paths_take(document_id: str) -> None:
    batch = DocumentBatch(ids=["good", document_id], payloads=[{}, {}], vectors=[])
    with pytest.raises(InvalidFields, match="1 to 512 characters"):
        check_ids(batch)


@pytest.mark.parametrize(
    ("value", "reason"), [("a\0b", "NUL"), (2**60, "2\\^53"), (json.loads("[" * 40 + "]" * 40), "levels deep")]
)
def test_a_payload_that_could_not_be_shown_again_is_refused(value: Any, reason: str) -> None:
    batch = batch_of([IncomingDocument("d1", {"key": value}, {"a": [1, 2]})])
    with pytest.raises(InvalidFields, match=reason) as raised:
        check_payloads(batch)
    assert raised.value.problems[0].loc == ("body", "payload")


def test_what_own_keys_would_hide_gets_another_name() -> None:
    hidden = {"collection_id": "elsewhere", "a": 1, "n": 2}
    batch = replace(batch_of(documents({"a": [1, 2]}, {})), payloads=[hidden, {"n": 3}])
    assert list(without_own_keys(batch).payloads) == [
        {"source_collection_id": "elsewhere", "source_a": 1, "n": 2},
        {"n": 3},
    ]


@pytest.mark.parametrize(
    "vector",
    [
        *("x", 3, None, True, [], ["1"], [1, None], [True], [[1], []], [[1], [1, 2]], [[1], 2], [["1"]]),
        *({}, {"indices": [1]}, {"indices": [], "values": []}, {"indices": [1], "values": [1], "more": 1}),
        *({"indices": [1, 2], "values": [1]}, {"indices": ["1"], "values": [1]}, {"indices": [1.5], "values": [1]}),
        *({"indices": [-1], "values": [1]}, {"indices": [2**31], "values": [1]}, {"indices": 1, "values": [1]}),
    ],
)
def test_what_is_no_vector_of_any_kind_is_refused(vector: Any) -> None:
    with pytest.raises(InvalidVectors, match="'d0'"):
        batch_of(documents({"a": vector}))


def test_vectors_of_one_call_have_one_length() -> None:
    with pytest.raises(InvalidVectors, match="'d1' has 3 components; 2 are expected"):
        batch_of(documents({"a": [1, 2]}, {"a": [1, 2, 3]}))


def test_sparse_vectors_lie_one_after_another_with_their_terms_in_order() -> None:
    (column,) = batch_of(
        documents({"s": {"indices": [7, 2], "values": [1, 2]}}, {"s": {"indices": [3], "values": [4]}})
    ).vectors
    assert isinstance(column, SparseColumn)
    assert (column.indices.tolist(), column.values.tolist(), column.bounds.tolist()) == (
        [2, 7, 3],
        [2, 1, 4],
        [0, 2, 3],
    )
    (config,) = configs_for((), DocumentBatch(ids=["a", "b"], payloads=[{}, {}], vectors=[column]))
    assert (config.kind, config.dimension) == ("sparse", MOST_TERMS)


def test_multi_vectors_have_as_many_rows_as_they_like() -> None:
    (column,) = batch_of(documents({"m": [[1, 2]]}, {}, {"m": [[3, 4], [5, 6]]})).vectors
    assert isinstance(column, MultiVectorColumn)
    assert column.rows is not None
    assert (column.values.tolist(), column.bounds.tolist(), column.rows.tolist()) == (
        [[1, 2], [3, 4], [5, 6]],
        [0, 1, 3],
        [0, 2],
    )


@pytest.mark.parametrize(
    ("config", "vector", "message"),
    [
        (("sparse", 5), {"indices": [5], "values": [1]}, "an index outside 0 to 4"),
        (("sparse", 5), {"indices": [1, 1], "values": [1, 2]}, "an index twice"),
        (("sparse", 5), {"indices": [1, 2], "values": [0, 0]}, "all zero"),
        (("sparse", 5), {"indices": [1], "values": [float("nan")]}, "not finite"),
        (("sparse", 5), [1, 2, 3, 4, 5], "is dense; in the collection it is sparse"),
        (("dense", 2), [[1, 2]], "is a multi-vector; in the collection it is dense"),
        (("multi_vector", 2), [[1, 2, 3]], "3 components; 2 are expected"),
        (("multi_vector", 2), [[1, 2], [0, 0]], "a row that is all zero"),
        (("multi_vector", 2), [[1, float("inf")]], "not finite"),
    ],
)
def test_vectors_keep_to_the_kind_and_the_range_of_their_collection(
    config: tuple[str, int], vector: Any, message: str
) -> None:
    known = VectorConfig(name="a", dimension=config[1], metric="cosine", kind=config[0])
    with pytest.raises(InvalidVectors, match=message) as raised:
        check_vectors(batch_of(documents({"a": vector})), [known])
    assert "'d0'" in str(raised.value) or "documents d0" in str(raised.value)


def test_one_name_has_one_kind() -> None:
    with pytest.raises(InvalidVectors, match="'d1' is sparse, that of document 'd0' dense"):
        batch_of(documents({"a": [1, 2]}, {"a": {"indices": [1], "values": [1]}}))


@pytest.mark.parametrize(
    ("metric", "rows", "message"),
    [
        ("cosine", [[0, 0]], "all zero"),
        ("euclidean", [[float("nan"), 0]], "not finite"),
        ("euclidean", [[float("inf"), 0]], "not finite"),
        ("euclidean", [[1, 2, 3]], "3 components; 2 are expected"),
    ],
)
def test_vectors_that_cannot_be_compared_are_refused(metric: str, rows: list[list[float]], message: str) -> None:
    batch = DocumentBatch(
        ids=["d0"], payloads=[{}], vectors=[VectorColumn(name="a", values=np.asarray(rows, np.float32))]
    )
    with pytest.raises(InvalidVectors, match=message):
        check_vectors(batch, [VectorConfig(name="a", dimension=2, metric=metric)])


def test_zeros_are_a_place_where_distances_count() -> None:
    batch = DocumentBatch(
        ids=["d0"], payloads=[{}], vectors=[VectorColumn(name="a", values=np.zeros((1, 2), np.float32))]
    )
    check_vectors(batch, [VectorConfig(name="a", dimension=2, metric="euclidean")])


def test_a_vector_that_the_collection_has_not_is_refused() -> None:
    with pytest.raises(InvalidVectors, match="it has a, b"):
        check_vectors(
            batch_of(documents({"c": [1]})),
            [VectorConfig(name=name, dimension=1, metric="cosine") for name in ("b", "a")],
        )


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12))
def test_of_documents_with_one_id_the_last_is_kept_with_its_own_vectors(rows: list[tuple[int, bool]]) -> None:
    given_documents = [
        IncomingDocument(f"d{name}", {"at": at}, _all_kinds(at) if has_vector else {})
        for at, (name, has_vector) in enumerate(rows)
    ]
    batch = last_of_each(batch_of(given_documents))
    expected = {one.document_id: one for one in given_documents}
    assert dict(zip(batch.ids, batch.payloads, strict=True)) == {key: one.payload for key, one in expected.items()}
    kept: dict[str, dict[str, Any]] = {}
    for column in batch.vectors:
        places = list(range(len(batch.ids))) if column.rows is None else column.rows.tolist()
        kept[column.name] = {batch.ids[place]: value for place, value in zip(places, _values(column), strict=True)}
    own = {key: one.vectors for key, one in expected.items() if one.vectors}
    assert all(found == {key: _first(one[name]) for key, one in own.items()} for name, found in kept.items())


def _all_kinds(at: int) -> dict[str, Any]:
    sparse = {"indices": list(range(at % 3 + 1)), "values": [float(at)] * (at % 3 + 1)}
    return {"v": [float(at)], "m": [[float(at)]] * (at % 3 + 1), "s": sparse}


def _values(column: AnyVectorColumn) -> list[list[float]]:
    if isinstance(column, VectorColumn):
        return list(column.values.tolist())
    return [part.reshape(-1).tolist() for part in np.split(column.values, column.bounds[1:-1])]


def _first(given: Any) -> list[float]:
    flat = given["values"] if isinstance(given, dict) else np.asarray(given).reshape(-1).tolist()
    return list(flat)
