"""What runs take of memory is what they state before they start, by whole runs in processes of their own.

`benchmarks/clustering_memory.py` prints the figures of the same cases.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.memory_cases import (
    BESIDE,
    GIVEN,
    GROUPS,
    MIB,
    STEPS,
    MemoryCase,
    MemoryOutcome,
    file_of_groups,
    measured_case,
    measured_cases,
)
from support.memory_cases import case_of_groups as case

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts this way")

WIDTH = 384
SIZES = (1000, 2000, 5000, 10_000, 20_000)
LARGE = (2000, 20_000, 50_000, 100_000, 200_000)
LIMIT = 2048
AT_REST = 400
"""MiB that a worker holds before a run, and has for all that is no run's."""


def assert_kept(outcome: MemoryOutcome) -> None:
    """A peak is stated within a quarter of what is measured."""
    assert outcome.stated is not None
    assert outcome.measured == pytest.approx(outcome.stated, rel=0.25), outcome


def test_runs_take_what_they_state(tmp_path: Path) -> None:
    cases = [case(tmp_path, "kmeans", 1000, 256), case(tmp_path, "leiden", 2500, 256)]
    cases.append(case(tmp_path, "kmeans", 2500, 256, after={}, after_rows=1000, changes={"mode": "assign"}))
    for outcome in measured_cases(cases):
        assert_kept(outcome)


def test_a_run_above_the_setting_is_mapped_and_one_far_above_it_refused(tmp_path: Path) -> None:
    quick = {"n_clusters": 8, "n_init": 1, "max_iter": 3}
    asked = {"algorithm_params": quick, "stability": "none", "sample_size": 20_000}
    tight = case(tmp_path, "kmeans", 20_000, WIDTH, asked=asked, changes={"defer_visualization": True}, limit_mib=110)
    mapped, refused = measured_cases([tight, replace(tight, limit_mib=40)])
    assert mapped.refused is None
    assert mapped.stated_stages["held"] < 4 * 20_000 * WIDTH
    assert mapped.measured <= 110 * MIB
    assert "cluster_memory_mib allows 40" in str(refused.refused)


@pytest.mark.nightly
@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize("method", sorted(GIVEN))
def test_every_algorithm_takes_what_it_states(tmp_path: Path, method: str, rows: int) -> None:
    found = measured_case(case(tmp_path, method, rows, WIDTH))
    if method == "auto":  # the dearest of what it may choose is stated before it looks
        assert found.stated is not None
        assert found.measured <= 1.25 * found.stated
    else:
        assert_kept(found)


@pytest.mark.nightly
@pytest.mark.parametrize("rows", [2000, 10_000])
@pytest.mark.parametrize("steps", sorted(STEPS))
def test_steps_before_the_algorithm_take_what_is_stated(tmp_path: Path, steps: str, rows: int) -> None:
    asked = {"preprocessing_steps": STEPS[steps]}
    assert_kept(measured_case(case(tmp_path, "hdbscan", rows, WIDTH, asked=asked)))


@pytest.mark.nightly
@pytest.mark.parametrize("rows", [2000, 10_000])
@pytest.mark.parametrize("beside", sorted(BESIDE))
def test_what_is_asked_for_beside_the_algorithm_takes_what_is_stated(tmp_path: Path, beside: str, rows: int) -> None:
    assert_kept(measured_case(case(tmp_path, "kmeans", rows, WIDTH, asked=BESIDE[beside])))


@pytest.mark.nightly
@pytest.mark.parametrize("rows", [5000, 20_000])
def test_other_kinds_of_runs_take_what_they_state(tmp_path: Path, rows: int) -> None:
    files = {name: str(file_of_groups(tmp_path, rows, GROUPS, width)) for name, width in (("a", 64), ("b", 128))}
    given: dict[str, Any] = {"clustering_method": "kmeans", "algorithm_params": GIVEN["kmeans"]}
    apart = {**given, "feature_uris": ["a", "b"], "multi_feature_strategy": "independent"}
    by_kind = {"cluster_type": "attribute", "attribute_config": {"attributes": ["kind"]}}
    kinds = [
        case(tmp_path, "kmeans", rows, after={}, after_rows=rows // 2, changes={"mode": "assign"}),
        case(tmp_path, "kmeans", rows, after={}, changes={"replay_of": "run_0"}),
        case(tmp_path, "hdbscan", rows, settings=[{"min_cluster_size": size} for size in (5, 10, 20)]),
        MemoryCase(files=files, rows=rows, asked=apart),
        MemoryCase(files=files, rows=rows, asked={**apart, "multi_feature_strategy": "concatenate"}),
        MemoryCase(files=files, rows=rows, asked={}, body=by_kind),
    ]
    for kind in kinds:
        assert_kept(measured_case(kind))


@pytest.mark.nightly
@pytest.mark.parametrize("rows", LARGE)
@pytest.mark.parametrize("method", sorted(GIVEN))
def test_no_run_is_killed_at_two_gibibytes(tmp_path: Path, method: str, rows: int) -> None:
    # all rows are asked for, so that some must refuse; those that compare all pairs may be given 100,000 at most
    asked = {"sample_size": rows, "stability": "none"}
    changes = {"defer_visualization": True} if rows > SIZES[-1] else {}
    run = case(tmp_path, method, rows, WIDTH, asked=asked, changes=changes, limit_mib=LIMIT - AT_REST)
    outcome = measured_case(run, kill_above=LIMIT * MIB)
    assert not outcome.was_killed
    assert outcome.refused is not None or outcome.measured <= run.limit_mib * MIB


def test_planted_files_hold_unit_rows(tmp_path: Path) -> None:
    rows = np.load(file_of_groups(tmp_path, 500, 5, 16))
    assert rows.shape == (500, 16)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
