"""What follows from runs that ended, where something is wrong with one of them."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from shoald.application.trigger_following import FiringEnds
from shoald.domain.records.trigger import Firing

AT = datetime(2026, 11, 1, tzinfo=UTC)


def _firing(run_id: str) -> Firing:
    return Firing(
        trigger_id="trig_a",
        namespace_id="ns_a",
        slot=run_id,
        due_since=AT,
        fired_for=AT,
        triggered_at=AT,
        run_id=run_id,
    )


def test_an_end_that_cannot_be_noted_keeps_no_other_waiting() -> None:
    """Not those of its own pass, nor those of later ones when there is a whole pass of such ends."""
    asked: list[str | None] = []
    waiting = [_firing("run_bad1"), _firing("run_bad2"), _firing("run_good")]

    def ended(limit: int, *, behind: Firing | None = None) -> list[Firing]:
        first = 0 if behind is None else waiting.index(behind) + 1
        return waiting[first : first + limit]

    def hold_firing(firing: Firing) -> bool:
        asked.append(firing.run_id)
        if firing.run_id != "run_good":
            raise RuntimeError("what is stored of it cannot be read")
        return False

    triggers = SimpleNamespace(ended=ended, hold_firing=hold_firing)

    def open_unit_of_work(*, reading: bool = False) -> Any:
        del reading
        return nullcontext(SimpleNamespace(triggers=triggers))

    ends = FiringEnds(open_unit_of_work=open_unit_of_work, batch=2)
    for _ in range(3):
        assert ends.run_pass() == 0
    assert asked == ["run_bad1", "run_bad2", "run_good", "run_bad1", "run_bad2"]
