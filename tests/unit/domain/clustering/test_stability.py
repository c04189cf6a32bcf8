from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.application.group_refining import LEAST_CLEARANCE, UNSEEN
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.kmeans import kmeans
from shoald.domain.clustering.parameters import KmeansParameters
from shoald.domain.clustering.spaces import Floats, Integers, Labels
from shoald.domain.clustering.stability import (
    COMES_BACK,
    QUICK,
    best_overlaps,
    clearances,
    comebacks,
    sample_rows,
    scores,
)

BACKEND = NumpyArrays()


def grouped(rows: Floats, k: int, seed: int) -> Labels:
    found = kmeans(rows, KmeansParameters(n_clusters=k, n_init=3), seed, backend=BACKEND)
    labels: Labels = by_size(found.labels)[0]
    return labels


def measured(rows: Floats, k: int, seed: int) -> Floats:
    labels = grouped(rows, k, seed)

    def regroup(chosen: Integers, with_seed: int) -> Labels:
        return grouped(rows[chosen], k, with_seed)

    return scores(comebacks(labels, regroup, QUICK), clearances(rows, labels))


def planted(seed: int, k: int, d: int) -> Floats:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(k, d)) * 9 / np.sqrt(d)
    spread = 1.2 / np.sqrt(d)
    rows = centres[random.integers(0, k, 80 * k)] + random.normal(scale=spread, size=(80 * k, d))
    return np.asarray(rows, dtype=np.float32)


def one_gaussian(seed: int, d: int, stretch: float) -> Floats:
    random = np.random.default_rng(seed)
    scale = np.ones(d)
    scale[0] = stretch
    return (random.normal(size=(400, d)) * scale).astype(np.float32)


def test_planted_groups_are_told_from_halves_of_one_gaussian() -> None:
    real: list[float] = []
    halves: list[float] = []
    for seed in range(2):
        for d in (2, 16, 64):
            real += measured(planted(seed, 6, d), 6, seed).tolist()
            halves += measured(one_gaussian(seed, d, 1.0), 2, seed).tolist()
            halves += measured(one_gaussian(seed, d, 4.0), 2, seed).tolist()
    truth = [1] * len(real) + [0] * len(halves)
    assert roc_auc_score(truth, real + halves) >= 0.95
    assert np.mean(np.array(halves) < COMES_BACK) >= 0.9
    assert np.mean(np.array(real) >= COMES_BACK) >= 0.85


def test_overlaps_are_jaccards() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, -1], dtype=np.int32)
    found = np.array([0, 0, 0, 1, 1, 1, -1, 1], dtype=np.int32)
    assert best_overlaps(labels, found, 3)[:2] == pytest.approx([3 / 4, 2 / 5])
    assert np.isnan(best_overlaps(labels, found, 3)[2])
    nothing = np.full(8, -1, dtype=np.int32)
    assert best_overlaps(labels, nothing, 2).tolist() == [0, 0]


def test_one_group_has_no_border() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    assert clearances(rows, np.zeros(20, dtype=np.int32)).tolist() == [1]
    assert clearances(rows, np.full(20, -1, dtype=np.int32)).tolist() == []
    assert clearances(np.ones((6, 2), np.float32), np.repeat(np.array([0, 1], np.int32), 3)).tolist() == [0, 0]


def judged_apart(unseen: int, *, gap: float) -> int:
    """Return how often, of a hundred times, the rows nearest to an outer one are found apart from forty others."""
    random, found = np.random.default_rng(0), 0
    for _ in range(100):
        rows = random.normal(size=(48, 24)).astype(np.float32)
        chosen = np.square(rows - rows[0]).sum(axis=1).argsort()[:8]
        labels = np.zeros(48, dtype=np.int32)
        labels[chosen] = 1
        if gap:
            rows[chosen] = random.normal(size=(8, 24))
            rows[chosen, 0] += gap
        found += bool(clearances(rows, labels, unseen=unseen).mean() >= LEAST_CLEARANCE)
    return found


def test_no_valley_between_few_members_by_chance() -> None:
    assert judged_apart(0, gap=0) > 0
    assert judged_apart(UNSEEN, gap=0) == 0
    assert judged_apart(UNSEEN, gap=8) == 100


def test_scores_are_halved_where_nothing_sets_groups_apart() -> None:
    assert scores(np.array([0.8, 1.0]), np.array([0.0, 1.0])) == pytest.approx([0.4, 1.0])
    assert scores(np.array([0.8]), None) == pytest.approx([0.8])


def test_subsamples_grow_with_the_number_of_groups() -> None:
    assert sample_rows(1000, 3, QUICK) == 500
    assert sample_rows(100_000, 3, QUICK) == 1500
    assert sample_rows(100_000, 1000, QUICK) == 15_000
    assert sample_rows(1, 1, replace(QUICK, share=0.1)) == 1
