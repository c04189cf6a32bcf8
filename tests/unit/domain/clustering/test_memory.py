from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np

from shoald.domain.clustering.assignment import squared_gaps
from shoald.domain.clustering.memory import (
    MemoryPlan,
    RunAsked,
    RunShape,
    one_after_another,
    planned,
    planned_assignment,
    planned_attributes,
    swept,
)
from shoald.domain.clustering.parameters import (
    AgglomerativeParameters,
    KmeansParameters,
    TsneParameters,
    UmapParameters,
    WhiteningParameters,
)

MIB = 1 << 20


def plan_of(rows: int, **changes: int) -> MemoryPlan:
    shape = RunShape(rows=rows, documents=changes.get("documents", rows), width=changes.get("width", 256))
    steps = (WhiteningParameters(), UmapParameters())
    return planned(shape, RunAsked(algorithm=KmeansParameters(), steps=steps, map_dimensions=2))


def of_run(rows: int, width: int, algorithm: Any, *steps: Any, limit: int | None = None, **asked: Any) -> MemoryPlan:
    shape = RunShape(rows=rows, documents=rows, width=width)
    return planned(shape, RunAsked(algorithm=algorithm, steps=steps, **asked), limit=limit)


def test_a_thousand_centres_take_no_table_of_their_gaps() -> None:
    centres = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float32)
    tracemalloc.start()
    found = squared_gaps(centres)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 300 * 300 * 6
    np.testing.assert_allclose(found, np.square(centres[:, None] - centres[None]).sum(axis=2), atol=1e-4)


def test_a_plan_names_its_largest_stage() -> None:
    plan = plan_of(100_000)
    assert plan.peak == plan.held + plan.stages[plan.largest]
    assert set(plan.stages) == {
        "snapshot",
        "preprocess whitening",
        "preprocess umap",
        "cluster kmeans",
        "quality",
        "stability",
        "map",
        "publish",
    }


def test_more_rows_columns_and_documents_take_more() -> None:
    small = plan_of(10_000)
    assert plan_of(20_000).peak > small.peak
    assert plan_of(10_000, width=512).peak > small.peak
    assert plan_of(10_000, documents=1_000_000).peak > small.peak


def test_all_pairs_are_counted_unless_there_is_no_room_for_them() -> None:
    whole = of_run(20_000, 64, AgglomerativeParameters())
    assert whole.peak > 8 * 20_000**2
    assert whole.largest == "cluster agglomerative"
    assert of_run(20_000, 64, AgglomerativeParameters(), limit=1024 * MIB).peak < 1024 * MIB


def test_an_algorithm_after_tsne_is_counted_in_its_dimensions() -> None:
    flat = of_run(4000, 512, KmeansParameters(), TsneParameters())
    assert flat.stages["cluster kmeans"] < of_run(4000, 512, KmeansParameters()).stages["cluster kmeans"]
    deep = of_run(4000, 512, KmeansParameters(), TsneParameters(n_components=4))
    assert deep.largest == "preprocess tsne"
    assert deep.peak > 16 * 4000**2


def test_vectors_are_mapped_only_where_the_limit_asks_for_it() -> None:
    free = of_run(100_000, 384, KmeansParameters())
    assert not free.is_mapped
    tight = of_run(100_000, 384, KmeansParameters(), limit=free.peak - MIB)
    assert tight.is_mapped
    assert tight.peak <= free.peak - MIB
    assert of_run(100_000, 384, KmeansParameters(), limit=free.peak) == free


def test_what_is_asked_for_beside_the_algorithm_is_counted() -> None:
    plain = of_run(50_000, 128, KmeansParameters(), effort="none")
    assert "map" not in plain.stages
    assert "subdivide" in of_run(50_000, 128, KmeansParameters(), levels=2).stages
    quick = of_run(50_000, 128, KmeansParameters(), effort="quick").stages["stability"]
    assert of_run(50_000, 128, KmeansParameters(), effort="thorough").stages["stability"] > 4 * quick
    assert of_run(50_000, 128, KmeansParameters(), learned_rows=2000).stages["weigh"] > 0


def test_a_run_of_one_document_has_a_plan() -> None:
    plan = of_run(1, 8, KmeansParameters(), levels=1, map_dimensions=2)
    assert plan.stages["subdivide"] > 0


def test_a_map_takes_what_its_method_takes() -> None:
    maps = {
        method: of_run(5000, 64, KmeansParameters(), map_dimensions=2, map_method=method).stages["map"]
        for method in ("pca", "umap", "tsne")
    }
    assert maps["pca"] < maps["umap"] < maps["tsne"]


def test_features_that_are_joined_are_held_beside_the_sample() -> None:
    apart = RunShape(rows=1000, documents=5000, width=32)
    joined = RunShape(rows=1000, documents=5000, width=32, is_joined=True)
    asked = RunAsked(algorithm=KmeansParameters())
    assert planned(joined, asked).held - planned(apart, asked).held == 4 * 5000 * 32


def test_assignment_does_not_hold_the_vectors() -> None:
    many = planned_assignment(RunShape(rows=0, documents=1_000_000, width=384, former=1000), 100, 2)
    assert many.held < 4 * 1_000_000 * 384 / 4
    assert many.stages["cluster assign"] < 100 * MIB
    assert many.largest == "publish"


def test_groups_by_attributes_take_what_their_documents_take() -> None:
    assert planned_attributes(1_000_000).peak > 5 * planned_attributes(100_000).peak


def test_runs_after_one_another_take_the_largest_and_publish_all() -> None:
    plans = [of_run(10_000, 32, KmeansParameters()), of_run(10_000, 256, KmeansParameters())]
    both = one_after_another(plans, 10_000)
    assert both.held > plans[1].held
    assert both.stages["publish"] > 1.4 * plans[1].stages["publish"]


def test_a_sweep_is_counted_by_its_dearest_setting_and_publishes_nothing() -> None:
    plans = [of_run(10_000, 32, KmeansParameters(n_clusters=k), limit=None) for k in (2, 1000)]
    sweep = swept(plans, 10_000)
    assert "publish" not in sweep.stages
    assert sweep.peak >= plans[1].held + plans[1].stages["cluster kmeans"]
