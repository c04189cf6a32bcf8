"""The nodes of documents, held to a plain loop over all of them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shoald.domain.node_matching import NodeTree, mean_direction, tree_of

# a loaded machine draws slowly, and says nothing about the code
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
DIMENSION = 3
NUMBERS = st.integers(-99, 99).map(float)
VECTORS = st.lists(NUMBERS, min_size=DIMENSION, max_size=DIMENSION)
Floats = npt.NDArray[np.float32]


@st.composite
def trees(draw: st.DrawFn) -> NodeTree:
    """Up to eight nodes, each under an earlier one, under none, or under one that there is not."""
    number = draw(st.integers(0, 8))
    payloads, vectors = {}, {}
    for at in range(number):
        above = draw(st.sampled_from([None, "nobody", *(f"n{one}" for one in range(at))]))
        payloads[f"n{at}"] = {"label": f"L{at}", "parent_node_id": above}
        vector = draw(st.none() | VECTORS)
        if vector is not None:
            vectors[f"n{at}"] = np.array(vector, dtype=np.float32)
    return tree_of(payloads, vectors, DIMENSION)


def cosine(one: Floats, other: Floats) -> float:
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one.astype(float) @ other.astype(float)) / lengths if lengths > 0 else -np.inf


def plainly(tree: NodeTree, vector: Floats, top_k: int, least: float) -> list[tuple[str, float]]:
    """Look at every lowest node, and climb from those that are too far."""
    cosines = {
        one.node_id: cosine(vector, row) if np.isfinite(row).all() else -np.inf
        for one, row in zip(tree.nodes, tree.vectors, strict=True)
    }
    parents = {one.node_id: one.parent_id for one in tree.nodes}
    lowest = [
        one.node_id
        for one, row in zip(tree.nodes, tree.vectors, strict=True)
        if one.node_id not in parents.values() and np.isfinite(row).all() and row.any()
    ]
    # rounding alone decides between equals, and at the threshold
    near = sorted(one for one in cosines.values() if np.isfinite(one))
    assume(all(after - before > 1e-5 for before, after in pairwise(near)))
    assume(all(abs(one - least) > 1e-5 for one in near))
    found: dict[str, float] = {}
    for name in sorted(lowest, key=lambda name: -cosines[name])[:top_k]:
        at: str | None = name
        while at is not None and cosines[at] < least:
            at = parents[at]
        if at is not None and np.isfinite(cosines[at]):
            found[at] = cosines[at]
    return sorted(found.items(), key=lambda pair: -pair[1])


@settings(QUIET, max_examples=150)
@given(tree=trees(), vector=VECTORS, top_k=st.integers(1, 3), least=st.sampled_from([0.0, 0.31, 0.77]))
def test_assignments_are_those_of_a_plain_loop(tree: NodeTree, vector: list[float], top_k: int, least: float) -> None:
    row = np.array(vector, dtype=np.float32)
    (found,) = tree.assigned(row[None, :], top_k=top_k, min_score=least)
    expected = plainly(tree, row, top_k, least)
    assert [one.node.node_id for one in found] == [name for name, _ in expected]
    np.testing.assert_allclose([one.score for one in found], [score for _, score in expected], atol=1e-5)


@settings(QUIET)
@given(tree=trees(), rows=st.lists(VECTORS, max_size=5))
def test_rows_do_not_depend_on_each_other(tree: NodeTree, rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32).reshape(len(rows), DIMENSION)
    together = tree.assigned(vectors)
    alone = [tree.assigned(one[None, :])[0] for one in vectors]
    assert [[one.node.node_id for one in row] for row in together] == [
        [one.node.node_id for one in row] for row in alone
    ]


@settings(QUIET)
@given(tree=trees())
def test_paths_end_with_the_node_and_go_through_its_parents(tree: NodeTree) -> None:
    by_id = {one.node_id: one for one in tree.nodes}
    for node in tree.nodes:
        assert node.path[-1] == node.label
        if node.parent_id is not None:
            assert node.path[:-1] == by_id[node.parent_id].path
    assert [one.level for one in tree.nodes] == sorted(one.level for one in tree.nodes)


def test_nodes_that_lie_under_each_other_are_on_top() -> None:
    tree = tree_of({"a": {"parent_node_id": "b"}, "b": {"parent_node_id": "a"}, "c": {"parent_node_id": "c"}}, {}, 2)
    assert {(one.node_id, one.level, one.label) for one in tree.nodes} == {("a", 0, "a"), ("b", 0, "b"), ("c", 0, "c")}


def test_directions_that_cancel_out_have_no_mean() -> None:
    assert mean_direction(np.array([[2, 0], [-7, 0]], dtype=np.float32)) is None
    mean = mean_direction(np.array([[2, 0], [0, 7]], dtype=np.float32))
    assert mean is not None
    assert mean.tolist() == [0.5, 0.5]
