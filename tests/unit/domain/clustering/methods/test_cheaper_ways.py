"""What an algorithm does where a table of all pairs has no room: another way, that it names, and that finds them."""

from __future__ import annotations

from typing import Any

import pytest
from sklearn.metrics import adjusted_rand_score

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithm_memory import graph_bytes, peak_bytes
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.parameters import parse_algorithm
from shoald.domain.clustering.spaces import Grouping, Space
from shoald.domain.clustering.tools import ClusterTools
from support.vectors import planted

LITTLE = 20_000_000
VECTORS, TRUTH = planted(2600, 12, 24)


def run(method: str, memory: int | None, **given: Any) -> Grouping:
    arrays = NumpyArrays()
    tools = ClusterTools(arrays=arrays, estimators=CpuEstimators(arrays=arrays), memory=memory)
    return group(Space(VECTORS), parse_algorithm(method, given, loc=())[0], tools=tools)


@pytest.mark.parametrize("linkage", ["ward", "average", "complete"])
def test_small_groups_are_merged_where_the_table_has_no_room(linkage: str) -> None:
    found = run("agglomerative", LITTLE, n_clusters=12, linkage=linkage)
    assert found.notes["method"] == "small groups"
    assert any("small k-means groups" in warning for warning in found.warnings)
    assert adjusted_rand_score(TRUTH, found.labels) >= 0.99
    exact = run("agglomerative", None, n_clusters=12, linkage=linkage)
    assert exact.notes["method"] == "all distances"
    assert exact.warnings == ()


def test_single_linkage_needs_no_table_at_any_size() -> None:
    assert run("agglomerative", LITTLE, n_clusters=12, linkage="single").notes["method"] == "spanning tree"


def test_spectral_keeps_neighbours_only_where_the_table_has_no_room() -> None:
    found = run("spectral", LITTLE, n_clusters=12)
    assert found.notes["graph"] == "rbf of nearest neighbours"
    assert any("too many for a table" in warning for warning in found.warnings)
    assert adjusted_rand_score(TRUTH, found.labels) >= 0.99
    assert run("spectral", None, n_clusters=12).notes["graph"] == "rbf of all rows"


@pytest.mark.parametrize("method", ["agglomerative", "spectral"])
def test_the_cheaper_way_is_stated_to_take_less(method: str) -> None:
    parameters, _ = parse_algorithm(method, {}, loc=())
    whole, less = peak_bytes(parameters, 18_000, 64), peak_bytes(parameters, 18_000, 64, memory=500_000_000)
    assert whole > 4 * 18_000**2
    assert less < 500_000_000


@pytest.mark.parametrize("method", ["agglomerative", "spectral"])
def test_a_table_that_fits_alone_but_not_with_what_is_made_beside_it_is_not_made(method: str) -> None:
    parameters, _ = parse_algorithm(method, {"n_clusters": 12}, loc=())
    n, d = VECTORS.shape
    whole = peak_bytes(parameters, n, d)
    table = 8 * len(VECTORS) ** 2
    assert table < whole - 1
    assert peak_bytes(parameters, n, d, memory=whole) == whole
    assert peak_bytes(parameters, n, d, memory=whole - 1) < whole
    ways = [run(method, memory, n_clusters=12).notes for memory in (whole, whole - 1)]
    assert ways[0] != ways[1]


def test_optics_states_an_exact_graph_at_any_size() -> None:
    parameters, _ = parse_algorithm("optics", {}, loc=())
    rows, width = 200_000, 384
    assert peak_bytes(parameters, rows, width) < graph_bytes(rows, width, 32)
    assert peak_bytes(parameters, rows, width) > graph_bytes(rows, width, 32, exact=True)


def test_many_seeds_of_mean_shift_are_thinned_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoald.domain.clustering.methods.mean_shift.MOST_SEEDS", 100)
    found = run("mean_shift", None, bandwidth=0.6)
    assert found.notes["seeds"] == 100
    assert any("100 of 2600 seeds" in warning for warning in found.warnings)
    assert adjusted_rand_score(TRUTH, found.labels) >= 0.95


def test_pieces_of_the_graph_are_merged_down_to_the_groups_asked_for() -> None:
    # twelve separate pieces, six groups: a cut of the spectrum alone could not tell which pieces belong together
    found = run("spectral", None, n_clusters=6, affinity="nearest_neighbors")
    assert found.count == 6
    assert any("pieces" in warning for warning in found.warnings)
    pairs = set(zip(TRUTH.tolist(), found.labels.tolist(), strict=True))
    assert len(pairs) == 12
