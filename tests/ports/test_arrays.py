"""What every array backend promises: the same numbers from the same arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.arrays import ArrayLibraries
from shoald.adapters.estimators import estimators_for
from shoald.application.cluster_stages import ClusterTools, cluster, coordinates, input_space, preprocess
from shoald.domain.clustering.array_backend import ArrayBackend
from shoald.domain.clustering.assignment import nearest_centres
from shoald.domain.clustering.parameters import KmeansParameters, UmapParameters, WhiteningParameters
from shoald.domain.clustering.whitening import whiten
from shoald.domain.failures import MissingDependency, Unsupported
from support.strict_arrays import StrictArrays
from support.vectors import planted, texture


@pytest.fixture(params=["numpy", "strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def backend(request: pytest.FixtureRequest) -> ArrayBackend:
    if request.param == "strict":
        return StrictArrays()
    try:
        return ArrayLibraries().get(request.param)
    except MissingDependency as missing:
        pytest.skip(missing.message)


def test_arrays_come_back_as_they_went(backend: ArrayBackend) -> None:
    values = texture(10)
    np.testing.assert_array_equal(backend.fetch(backend.send(values)), values)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_the_smallest_of_each_row_are_found(backend: ArrayBackend, k: int) -> None:
    values = np.random.default_rng(0).permuted(np.tile(np.arange(8.0, dtype=np.float32), (5, 1)), axis=1)
    found = backend.fetch(backend.smallest(backend.send(values), k))
    np.testing.assert_array_equal(np.sort(np.take_along_axis(values, found, axis=1), axis=1), [list(range(k))] * 5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_are_added_by_label_with_empty_labels_zero(backend: ArrayBackend, dtype: type) -> None:
    rows: npt.NDArray[Any] = texture(50).astype(dtype)
    labels = np.random.default_rng(1).integers(0, 4, 50)
    found = backend.fetch(backend.sum_by_label(backend.send(rows), backend.send(labels), 6))
    assert found.dtype == dtype
    wanted = np.stack([rows[labels == label].sum(axis=0) for label in range(6)])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_independent_work_comes_back_in_order_and_a_failure_ends_it(backend: ArrayBackend) -> None:
    assert list(backend.each(lambda at: at * at, range(40))) == [at * at for at in range(40)]
    with pytest.raises(ZeroDivisionError):
        list(backend.each(lambda at: 1 // at, [1, 0, 2]))


def test_runs_of_columns_are_added_and_empty_runs_are_zero(backend: ArrayBackend) -> None:
    rows = texture(10)
    columns = backend.send(np.ascontiguousarray(rows.T))
    found = backend.fetch(backend.adder(backend.send(np.array([0, 0, 3, 3, 10, 10])))(columns)).T
    wanted = [np.zeros(64), rows[:3].sum(axis=0), np.zeros(64), rows[3:].sum(axis=0), np.zeros(64)]
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_dense_stages_give_the_processors_numbers(backend: ArrayBackend) -> None:
    reference = ArrayLibraries().get("numpy")
    vectors = texture(500)
    np.testing.assert_allclose(
        whiten(vectors, 1e-4, backend=backend), whiten(vectors, 1e-4, backend=reference), atol=1e-3
    )
    ids, squares = nearest_centres(vectors, vectors[:20], backend=backend)
    known, exact = nearest_centres(vectors, vectors[:20], backend=reference)
    assert (ids == known).mean() > 0.99
    np.testing.assert_allclose(squares, exact, atol=1e-4)


def test_a_run_finds_planted_groups(backend: ArrayBackend) -> None:
    vectors, truth = planted(600, 8)
    tools = ClusterTools(arrays=backend, estimators=estimators_for(backend))
    worked = preprocess(
        input_space(vectors), [WhiteningParameters(), UmapParameters(n_components=4, n_neighbors=12)], tools=tools
    )
    found = cluster(worked, KmeansParameters(n_clusters=8), tools=tools)
    assert len({(a, b) for a, b in zip(truth.tolist(), found.labels.tolist(), strict=True)}) <= 10
    assert np.isfinite(coordinates(input_space(vectors), 2, tools=tools)).all()


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(Unsupported, match="numpy, cupy or auto"):
        ArrayLibraries().get("jax")


def test_auto_always_finds_one() -> None:
    assert ArrayLibraries().get("auto").name in {"numpy", "cupy"}
