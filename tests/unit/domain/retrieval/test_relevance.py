"""Metrics of a ranked list against counting by hand, by brute force, and against scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from shoald.domain.retrieval.evaluation import Resampling, intervals
from shoald.domain.retrieval.relevance import Expected, JudgedHit, Judgement, judge


def hit(item_id: str, text: str = "", *others: str) -> JudgedHit:
    return JudgedHit(ids=frozenset({item_id, *others}), text=text)


def test_an_expected_item_is_found_by_its_id_or_its_segment_s() -> None:
    judged = judge([Expected(item_id="a"), Expected(item_id="s")], [hit("b"), hit("a"), hit("c", "", "s")])
    assert judged.found_at == (2, 3)
    assert judged.gains == (0.0, 1.0, 1.0)


def test_a_text_is_found_whatever_its_blanks_and_case() -> None:
    expected = [Expected(text="Straße  and\nbridge"), Expected(text=" ")]
    judged = judge(expected, [hit("a", "the street"), hit("b", "The STRASSE and bridge, built")])
    assert judged.found_at == (2, None)


def test_an_expected_passage_counts_once() -> None:
    judged = judge([Expected(text="x")], [hit("a", "x"), hit("b", "x")])
    assert judged.gains == (1.0, 0.0)
    assert judged.ndcg(2) == 1.0


def test_a_hit_with_several_expected_passages_finds_all_and_gains_the_highest_grade() -> None:
    judged = judge([Expected(text="x", grade=1), Expected(text="y", grade=3)], [hit("a", "x y")])
    assert judged.recall(1) == 1.0
    assert judged.gains == (3.0,)
    assert judged.ndcg(1) == 1.0


def test_depths_cut_the_list() -> None:
    judged = judge([Expected(item_id="a"), Expected(item_id="b")], [hit("x"), hit("a"), hit("y"), hit("b")])
    assert [judged.recall(k) for k in (1, 2, 3, 4, 9)] == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert [judged.reciprocal_rank(k) for k in (1, 2, 9)] == [0.0, 0.5, 0.5]


def test_no_hits_are_worth_nothing() -> None:
    judged = judge([Expected(item_id="a")], [])
    assert (judged.recall(5), judged.reciprocal_rank(5), judged.ndcg(5)) == (0.0, 0.0, 0.0)


GRADES = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=2, max_size=7).filter(any)


@given(GRADES, st.integers(1, 8))
def test_ndcg_is_scikit_learn_s(grades: list[float], k: int) -> None:
    """The items are retrieved in this order; those of grade 0 are not expected."""
    expected = [Expected(item_id=str(at), grade=grade) for at, grade in enumerate(grades) if grade]
    judged = judge(expected, [hit(str(at)) for at in range(len(grades))])
    scores = [list(range(len(grades), 0, -1))]
    assert judged.ndcg(k) == pytest.approx(ndcg_score([grades], scores, k=k))


@given(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=1, max_size=4), st.integers(1, 5))
def test_the_ideal_gain_is_that_of_the_best_of_all_orders(grades: list[float], k: int) -> None:
    def dcg(order: tuple[float, ...]) -> float:
        return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(order[:k]))

    best = max(dcg(order) for order in itertools.permutations(grades))
    judged = Judgement(gains=tuple(grades), found_at=(1,), grades=tuple(grades))
    assert judged.ndcg(k) == pytest.approx(dcg(tuple(grades)) / best)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "a b", "b c"]), min_size=1, max_size=5)


@given(WORDS, WORDS, st.integers(1, 6))
def test_no_list_is_better_than_the_ideal_and_deeper_recall_is_no_less(
    wanted: list[str], texts: list[str], k: int
) -> None:
    expected = [Expected(text=text, grade=1.0 + at) for at, text in enumerate(wanted)]
    judged = judge(expected, [hit(str(at), text) for at, text in enumerate(texts)])
    assert 0.0 <= judged.ndcg(k) <= 1.0 + 1e-12
    assert judged.recall(k) <= judged.recall(k + 1) <= 1.0
    firsts = [at for at, text in enumerate(texts[:k], start=1) if any(word in text for word in wanted)]
    assert judged.reciprocal_rank(k) == (1 / firsts[0] if firsts else 0.0)


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        values = rng.binomial(1, 0.3, size=(80, 1)).astype(float)
        found = intervals(values, Resampling(confidence=0.9, resamples=300, seed=trial))[0]
        held += found.low <= 0.3 <= found.high
    assert 0.8 < held / 200 < 0.97


def test_the_interval_is_the_percentiles_of_resampled_means() -> None:
    values = np.random.default_rng(2).random((40, 2))
    found = intervals(values, Resampling(resamples=4000))
    rng = np.random.default_rng(9)
    means = np.array([values[rng.integers(0, 40, 40)].mean(axis=0) for _ in range(4000)])
    for column, interval in enumerate(found):
        assert interval.mean == pytest.approx(values[:, column].mean())
        assert interval.low == pytest.approx(np.quantile(means[:, column], 0.025), abs=0.006)
        assert interval.high == pytest.approx(np.quantile(means[:, column], 0.975), abs=0.006)


def test_the_same_seed_gives_the_same_interval_and_one_question_none() -> None:
    values = np.random.default_rng(2).random((10, 1))
    assert intervals(values, Resampling(seed=3)) == intervals(values, Resampling(seed=3))
    assert intervals(values, Resampling(seed=3)) != intervals(values, Resampling(seed=4))
    only = intervals(np.array([[0.25]]), Resampling())[0]
    assert (only.low, only.mean, only.high) == (0.25, 0.25, 0.25)
