from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from shoald.application.staged_stages import StagedGraphs
from shoald.domain.clustering.spaces import Neighbours


class Kept:
    """Arrays in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, Mapping[str, npt.NDArray[Any]]] = {}

    def get(self, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        return self._kept.get(key)

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._kept[key] = arrays


@pytest.mark.parametrize("recall", [None, 0.9731])
def test_a_kept_graph_says_again_how_many_neighbours_it_misses(recall: float | None) -> None:
    kept = Kept()
    graph = Neighbours(np.zeros((3, 2), dtype=np.int32), np.zeros((3, 2)), "cosine", recall)
    StagedGraphs(kept)["space-cosine"] = graph
    again = StagedGraphs(kept)["space-cosine"]
    assert (again.recall, again.metric, again.nearest(1).recall) == (recall, "cosine", recall)
