from __future__ import annotations

import pytest

from shoald.domain.clustering.memory import MemoryPlan, RunShape, planned
from shoald.domain.clustering.parameters import (
    AgglomerativeParameters,
    KmeansParameters,
    PreprocessingStep,
    TsneParameters,
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
    shape = RunShape(rows=20_000, documents=20_000, width=64)
    whole = planned(shape, AgglomerativeParameters(), [], None)
    assert whole.peak > 8 * 20_000**2
    assert whole.largest == "cluster agglomerative"
    assert planned(shape, AgglomerativeParameters(), [], None, limit=1024 * MIB).peak < 1024 * MIB


def test_an_algorithm_after_tsne_is_counted_in_its_dimensions() -> None:
    shape = RunShape(rows=4000, documents=4000, width=512)
    flat = planned(shape, KmeansParameters(), [TsneParameters()], None)
    assert flat.stages["cluster kmeans"] < planned(shape, KmeansParameters(), [], None).stages["cluster kmeans"]
    deep = planned(shape, KmeansParameters(), [TsneParameters(n_components=4)], None)
    assert deep.largest == "preprocess tsne"
    assert deep.peak > 16 * 4000**2


@pytest.mark.parametrize(
    ("stage", "rows", "width", "measured"),
    [
        ("centroids and quality", 8000, 256, 46.5),
        ("centroids and quality", 8000, 64, 11.7),
        ("preprocess whitening", 8000, 256, 31.9),
        ("preprocess umap", 2000, 256, 77.1),
        ("preprocess umap", 4000, 256, 71.1),
        ("preprocess umap", 8000, 256, 79.7),
        ("preprocess umap", 8000, 64, 77.0),
        ("map", 2000, 256, 77.1),
    ],
)
def test_stages_take_what_was_measured(stage: str, rows: int, width: int, measured: float) -> None:
    steps: list[PreprocessingStep] = [WhiteningParameters(), UmapParameters(n_components=10)]
    plan = planned(RunShape(rows=rows, documents=rows, width=width), KmeansParameters(), steps, 2)
    assert plan.stages[stage] / MIB == pytest.approx(measured, rel=0.25)
