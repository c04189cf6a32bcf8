"""Runs that a run goes back to are found without reading what they say of their groups."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from shoald.application.group_histories import run_ids_between


class LightRuns:
    """Runs `run_0` to `run_3`, each of which goes back to the one before; whole runs cannot be asked for."""

    def get_many(self, run_ids: Sequence[str]) -> dict[str, Any]:
        return {one: a_run(int(one[-1])) for one in run_ids}


def a_run(number: int) -> Any:
    before = f"run_{number - 1}" if number else None
    return SimpleNamespace(run_id=f"run_{number}", cluster_id="c" if number else "other", previous_run_id=before)


def test_the_way_back_reads_no_groups() -> None:
    uow: Any = SimpleNamespace(cluster_runs=LightRuns())
    assert run_ids_between(uow, a_run(3), "run_1") == ["run_3", "run_2", "run_1"]
    assert run_ids_between(uow, a_run(3), "run_9") is None
    assert run_ids_between(uow, a_run(3), "run_0") is None  # of another cluster
