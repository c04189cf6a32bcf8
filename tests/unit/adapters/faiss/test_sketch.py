from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.faiss.index_files import load_faiss
from shoald.adapters.faiss.opened_index import OpenedIndex
from shoald.adapters.faiss.sketch import WORTHWHILE, Sketch

Rows = npt.NDArray[np.float32]


def unit(rows: npt.NDArray[np.float64]) -> Rows:
    found: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def groups(n: int, d: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return unit(rng.normal(size=(40, d))[rng.integers(40, size=n)] + 0.5 * rng.normal(size=(n, d)))


def true_nearest(rows: Rows, row: Rows, m: int) -> set[int]:
    return set(np.argsort(-(rows.astype(np.float64) @ row[0].astype(np.float64)), kind="stable")[:m].tolist())


@pytest.mark.parametrize(("m", "d"), [(1, 64), (18, 64), (200, 64), (18, 50)])
def test_what_it_proves_is_the_nearest(m: int, d: int) -> None:
    rows = groups(6000, d, seed=1)
    sketch = Sketch(rows)
    queries = [unit(rows[at : at + 1].astype(np.float64) + 0.05) for at in range(0, 6000, 150)]
    found = [(query, sketch.nearest(query, m)) for query in queries]
    proven = [(query, positions) for query, positions in found if positions is not None]
    assert len(proven) >= 0.9 * len(queries)
    for query, positions in proven:
        assert set(positions.tolist()) == true_nearest(rows, query, m)


def test_no_other_row_is_nearer_than_it_takes_it_to_be() -> None:
    rows = groups(3000, 48, seed=4)
    rows[:, 7] = 0.25  # no steps at all
    sketch = Sketch(rows)
    codes = load_faiss().vector_to_array(sketch._coded.codes).reshape(rows.shape).astype(np.float64) - 128
    for query in rows[::100].astype(np.float64):
        stepped = query * sketch._steps
        rounded = np.rint(stepped * 127 / np.abs(stepped).max()) * np.abs(stepped).max() / 127
        most = codes @ rounded + query @ sketch._middle + sketch._more(stepped, rounded)
        assert np.all(rows.astype(np.float64) @ query <= most)


def test_a_query_of_zeros_is_as_near_to_all() -> None:
    assert Sketch(groups(3000, 32, seed=5)).nearest(np.zeros((1, 32), np.float32), 3) is None


def test_it_says_when_too_many_are_as_near() -> None:
    rows = groups(6000, 32, seed=2)
    rows[1000:2000] = rows[0]
    assert Sketch(rows).nearest(rows[:1], 18) is None
    assert Sketch(rows[:250]).nearest(rows[:1], 20) is None


def test_a_large_flat_index_answers_the_same_before_and_after_it_has_one() -> None:
    d = 64
    rows = groups(WORTHWHILE // d, d, seed=3)
    flat = load_faiss().IndexFlatIP(d)
    flat.add(rows)
    opened = OpenedIndex(flat, flat)
    first, _ = opened.fetch(rows[:1], 18)
    second, kept = opened.fetch(rows[:1], 18)
    assert set(first.tolist()) == set(second.tolist()) == true_nearest(rows, rows[:1], 18)
    np.testing.assert_array_equal(kept, rows[second])
    assert "_sketch" in vars(opened)
