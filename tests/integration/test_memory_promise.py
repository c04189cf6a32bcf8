"""What runs take of memory is what they state before they start, by whole runs in processes of their own.

`python -m benchmarks clustering_memory --all` prints the figures of these cases and of more and larger ones.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support.memory_cases import (
    BESIDE,
    GIVEN,
    LIMIT_MIB,
    MIB,
    STEPS,
    case_under_a_limit,
    cases_of_other_kinds,
    file_of_groups,
)
from support.memory_cases import case_of_groups as case
from support.memory_runs import MemoryOutcome, measured_case, measured_cases

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts this way")

WIDTH = 384
ROWS = 2000
MORE_ROWS = 5000
"""Here what an allocator keeps of a run before, some MiB, is no quarter any more."""
UNDER_A_LIMIT = (2000, 5000, 10_000, 20_000, 50_000)
NARROW = 32
"""Columns that let so many rows be grouped in a minute or so."""
QUADRATIC = {"optics": (2000, 3500, 5000, 10_000, 20_000)}
"""More rows would take minutes."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the planted rows lie, which all tests here read."""
    return tmp_path_factory.mktemp("planted")


def _rows_of(name: str) -> int:
    """Return as many rows as tell something; t-SNE takes minutes for more than a few."""
    return ROWS if "tsne" in name else MORE_ROWS


def assert_kept(outcome: MemoryOutcome) -> None:
    """A peak is stated within a quarter of what is measured."""
    assert outcome.stated == pytest.approx(outcome.measured, rel=0.25), outcome


def test_runs_take_what_they_state(folder: Path) -> None:
    assign = case(folder, "kmeans", 2500, 256, after={}, after_rows=1000, changes={"mode": "assign"})
    for outcome in measured_cases([assign, case(folder, "kmeans", MORE_ROWS, 256)]):
        assert_kept(outcome)


@pytest.mark.nightly
def test_a_run_above_the_setting_is_mapped_and_one_far_above_it_refused(folder: Path) -> None:
    quick = {"n_clusters": 8, "n_init": 1, "max_iter": 3}
    asked = {"algorithm_params": quick, "stability": "none", "sample_size": 20_000}
    tight = case(folder, "kmeans", 20_000, WIDTH, asked=asked, changes={"defer_visualization": True}, limit_mib=110)
    mapped, refused = measured_cases([tight, replace(tight, limit_mib=40)])
    assert mapped.refused is None
    assert mapped.stated_stages["held"] < 4 * 20_000 * WIDTH
    assert mapped.measured <= 110 * MIB
    assert "cluster_memory_mib allows 40" in str(refused.refused)


@pytest.mark.nightly
@pytest.mark.parametrize("method", sorted(GIVEN))
def test_every_algorithm_takes_what_it_states(folder: Path, method: str) -> None:
    for found in measured_cases([case(folder, method, rows, WIDTH) for rows in (ROWS, MORE_ROWS)]):
        if method == "auto":  # the dearest of what it may choose is stated before it looks
            assert found.measured <= 1.25 * (found.stated or 0)
        else:
            assert_kept(found)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", sorted(STEPS))
def test_steps_before_the_algorithm_take_what_is_stated(folder: Path, name: str) -> None:
    # a process each: what an allocator keeps of one step is in the figure of the next
    asked = {"preprocessing_steps": STEPS[name]}
    assert_kept(measured_case(case(folder, "hdbscan", _rows_of(name), WIDTH, asked=asked)))


@pytest.mark.nightly
def test_what_is_asked_for_beside_the_algorithm_takes_what_is_stated(folder: Path) -> None:
    cases = [case(folder, "kmeans", _rows_of(name), WIDTH, **one) for name, one in BESIDE.items()]
    outcomes = measured_cases(cases)
    maps = {name: found.stated_stages.get("map", 0) for name, found in zip(BESIDE, outcomes, strict=True)}
    assert 0 == maps["no map"] < maps["principal map"] < maps["solid map"]
    for found in outcomes:
        assert_kept(found)


@pytest.mark.nightly
def test_other_kinds_of_runs_take_what_they_state(folder: Path) -> None:
    cases = cases_of_other_kinds(folder, 4 * MORE_ROWS)
    # the buffers of what writes artifacts are kept from one run to the next: nearly all that these groups take
    outcomes = [measured_case(cases.pop("attributes")), *measured_cases(list(cases.values()))]
    for found in outcomes:
        assert_kept(found)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("method", sorted(GIVEN))
def test_no_run_is_killed_at_two_gibibytes(folder: Path, method: str) -> None:
    cases = [case_under_a_limit(folder, method, rows, NARROW) for rows in QUADRATIC.get(method, UNDER_A_LIMIT)]
    for run, found in zip(cases, measured_cases(cases, kill_above=LIMIT_MIB * MIB), strict=True):
        assert not found.was_killed
        assert found.refused is None
        assert found.measured <= run.limit_mib * MIB
        assert found.measured <= 1.25 * (found.stated or 0)


@pytest.mark.nightly
@pytest.mark.parametrize("method", ["agglomerative", "spectral"])
def test_a_table_that_has_no_room_gives_way_to_what_has(folder: Path, method: str) -> None:
    tight = replace(case_under_a_limit(folder, method, MORE_ROWS, NARROW), limit_mib=120)
    whole, less, refused = measured_cases([replace(tight, limit_mib=0), tight, replace(tight, limit_mib=12)])
    assert whole.measured > 120 * MIB
    assert less.measured <= 120 * MIB
    assert any("too many for a table" in one for one in less.warnings)
    assert "cluster_memory_mib allows 12" in str(refused.refused)


def test_planted_files_hold_unit_rows(folder: Path) -> None:
    rows = np.load(file_of_groups(folder, 500, 5, 16))
    assert rows.shape == (500, 16)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
