"""Seeds of a simulated world; `SHOAL_SEED=7 pytest -k one_seed` replays one that failed."""

from __future__ import annotations

import os

import pytest

from support.job_simulation import Simulation


def _run(seeds: range) -> None:
    for seed in seeds:
        try:
            Simulation(seed).run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed} (replay: SHOAL_SEED={seed} pytest -k one_seed): {error}") from error


def test_every_job_ends_once_in_500_seeds() -> None:
    _run(range(500))


@pytest.mark.nightly
def test_every_job_ends_once_in_10_000_seeds() -> None:
    _run(range(500, 10_500))


def test_one_seed_is_the_same_run_every_time() -> None:
    seed = int(os.environ.get("SHOAL_SEED", "7"))
    first, second = Simulation(seed), Simulation(seed)
    first.run()
    second.run()
    assert [job.states for job in first.jobs.values()] == [job.states for job in second.jobs.values()]
    assert first.now == second.now
