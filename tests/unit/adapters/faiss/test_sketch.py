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


@pytest.mark.parametrize("m", [1, 18, 200])
def test_what_it_proves_is_the_nearest(m: int) -> None:
    rows = groups(6000, 64, seed=1)
    sketch = Sketch(rows)
    queries = [unit(rows[at : at + 1].astype(np.float64) + 0.05) for at in range(0, 6000, 150)]
    found = [(query, sketch.nearest(query, m)) for query in queries]
    proven = [(query, positions) for query, positions in found if positions is not None]
    assert len(proven) >= 0.9 * len(queries)
    for query, positions in proven:
        assert set(positions.tolist()) == true_nearest(rows, query, m)


def test_it_says_when_too_many_are_as_near() -> None:
    rows = groups(6000, 32, seed=2)
    rows[1000:2000] = rows[0]
    assert Sketch(rows).nearest(rows[:1], 18) is None
    assert Sketch(rows[:300]).nearest(rows[:1], 20) is None


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
