from __future__ import annotations

import pytest

from shoald.domain.clustering.memory import MemoryPlan, RunShape, algorithm_bytes, planned
from shoald.domain.clustering.parameters import (
    AgglomerativeParameters,
    HdbscanParameters,
    KmeansParameters,
    UmapParameters,
    WhiteningParameters,
)

MIB = 1 << 20


def plan_of(rows: int, **changes: int) -> MemoryPlan:
    shape = RunShape(rows=rows, documents=changes.get("documents", rows), width=changes.get("width", 256))
    return planned(shape, KmeansParameters(), [WhiteningParameters(), UmapParameters()], 2)


def test_a_plan_names_its_largest_stage() -> None:
    plan = plan_of(100_000)
    assert plan.peak == plan.held + plan.stages[plan.largest]
    assert set(plan.stages) == {
        "snapshot",
        "preprocess whitening",
        "preprocess umap",
        "cluster kmeans",
        "centroids and quality",
        "map",
        "publish",
    }


def test_more_rows_columns_and_documents_take_more() -> None:
    small = plan_of(10_000)
    assert plan_of(20_000).peak > small.peak
    assert plan_of(10_000, width=512).peak > small.peak
    assert plan_of(10_000, documents=1_000_000).peak > small.peak


def test_all_pairs_are_counted_unless_there_is_no_room_for_them() -> None:
    whole = algorithm_bytes(AgglomerativeParameters(), 20_000, 64)
    assert whole > 8 * 20_000**2
    assert algorithm_bytes(AgglomerativeParameters(), 20_000, 64, room=1024 * MIB) < 1024 * MIB


@pytest.mark.parametrize(
    ("method", "n", "d", "measured"),
    [
        (KmeansParameters(n_clusters=50), 8000, 256, 23.2),
        (HdbscanParameters(), 4000, 256, 71.1),
        (HdbscanParameters(), 8000, 256, 79.4),
        (AgglomerativeParameters(), 2000, 256, 97.8),
        (AgglomerativeParameters(), 8000, 256, 596.7),
    ],
)
def test_estimates_lie_near_what_was_measured(
    method: KmeansParameters | HdbscanParameters | AgglomerativeParameters, n: int, d: int, measured: float
) -> None:
    assert algorithm_bytes(method, n, d) / MIB == pytest.approx(measured, rel=0.25)
