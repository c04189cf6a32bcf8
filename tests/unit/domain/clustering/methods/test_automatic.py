"""What `auto` decides by: a wish, the size, the dimensions, and a look; it says in the run what it chose and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shoald.adapters.arrays.numpy import NumpyArrays
from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.domain.clustering.algorithms import group
from shoald.domain.clustering.methods.automatic import MANY_ROWS, choose
from shoald.domain.clustering.parameters import AutoParameters, HdbscanParameters, KmeansParameters, LeidenParameters
from shoald.domain.clustering.spaces import Floats, Space
from shoald.domain.clustering.tools import ClusterTools
from support.vectors import planted, texture

ARRAYS = NumpyArrays()
TOOLS = ClusterTools(arrays=ARRAYS, estimators=CpuEstimators(arrays=ARRAYS))


def clear_groups() -> Floats:
    return planted(600, 6, 48)[0]


@pytest.mark.parametrize(
    ("vectors", "asked", "chosen", "why"),
    [
        (texture(300, 48), {"n_clusters": 7}, KmeansParameters(n_clusters=7), "was asked for"),
        (np.zeros((MANY_ROWS + 1, 2), dtype=np.float32), {}, KmeansParameters, "more than 200000"),
        (texture(300, 8), {}, HdbscanParameters(min_cluster_size=10), "few enough for density"),
        (clear_groups(), {}, HdbscanParameters, "density finds 6 groups"),
        (clear_groups(), {"min_cluster_size": 30}, HdbscanParameters(min_cluster_size=30), "density finds 6 groups"),
        (np.random.default_rng(0).normal(size=(500, 48)).astype(np.float32), {}, LeidenParameters, "leave no row out"),
    ],
    ids=["a wish", "the size", "few dimensions", "clear groups", "a smallest group", "no clear groups"],
)
def test_the_choice_follows_the_data_and_is_told(vectors: Floats, asked: dict[str, Any], chosen: Any, why: str) -> None:
    choice = choose(Space(vectors), AutoParameters(**asked), tools=TOOLS)
    if isinstance(chosen, type):
        assert isinstance(choice.parameters, chosen)
    else:
        assert choice.parameters == chosen
    assert why in choice.why


def test_the_run_says_what_was_chosen_and_why() -> None:
    found = group(Space(clear_groups()), AutoParameters(), tools=TOOLS)
    note = found.notes["auto"]
    assert found.effective["algorithm_chosen"] == note["chosen"] == "hdbscan"
    assert note["look"]["groups"] == 6
    assert found.warnings[0] == f"auto chose hdbscan: {note['why']}"


def test_a_wish_that_does_not_fit_the_choice_is_named() -> None:
    found = group(Space(clear_groups()), AutoParameters(n_clusters=6, min_cluster_size=30), tools=TOOLS)
    assert "min_cluster_size does not apply: kmeans was chosen" in found.warnings
