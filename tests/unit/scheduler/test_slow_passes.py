"""A pass that hangs delays those of its own lane alone: slots are fired meanwhile, each once, when they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from shoald.application.trigger_firing import MEASURED, UNMEASURED
from shoald.domain.records.trigger import Trigger
from shoald.scheduler.rounds import Round, Scheduler
from shoald.settings import Settings
from shoald.wiring import Adapters, build_scheduler
from support.trigger_simulation import BEGINNING, Simulation

_SLOTS = 12
_OFTEN = 0.001


class Hanging:
    """A pass, or a measurement, that begins and does not end until it is let go."""

    def __init__(self) -> None:
        self.began, self.may_go = threading.Event(), threading.Event()

    def __call__(self, *_: Any) -> int:
        self.began.set()
        self.may_go.wait()
        return 0


@contextmanager
def going_round(rounds: list[Round]) -> Iterator[None]:
    scheduler = Scheduler(rounds=rounds, patience_seconds=0)
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    try:
        yield
    finally:
        scheduler.stop()
        thread.join()


def until(is_so: Callable[[], bool]) -> None:
    """Wait for what other threads do; long only where it never comes."""
    for _ in range(3000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


class World:
    """Tables that threads share, a pass at a time, and a clock that goes from slot to slot."""

    def __init__(self) -> None:
        self.simulation = Simulation(0)
        self.tables = self.simulation.tables
        self.lock = threading.RLock()

    def rounds(self) -> list[Round]:
        firing = self.simulation.firing(lambda: None, types=UNMEASURED)
        passes = self.simulation.passes(firing, lambda: None)
        return [
            Round(name=f"pass {at}", seconds=_OFTEN, run=self._alone(one), lane="triggers")
            for at, one in enumerate(passes)
        ]

    def _alone(self, run: Callable[[], int]) -> Callable[[], int]:
        def alone() -> int:
            with self.lock:
                return run()

        return alone

    def live_through_slots(self) -> None:
        """Set the clock to one slot after another; go on when it is fired and its run has ended."""
        for _ in range(_SLOTS):
            with self.lock:
                self.tables.now = max(self.tables.now, min(self._dues()))
            until(self._is_nothing_due)
            with self.lock:
                self.simulation.finish()
            until(lambda: all(one.status != "pending" for one in self.firings()))

    def _dues(self) -> list[datetime]:
        return [one.due_at for one in self.tables.triggers.values() if one.due_at and one.trigger_type in UNMEASURED]

    def _is_nothing_due(self) -> bool:
        with self.lock:
            return min(self._dues()) > self.tables.now

    def firings(self) -> list[Any]:
        with self.lock:
            return list(self.tables.firings.values())

    def check(self) -> None:
        """Each slot came at its own moment, and none was missed, doubled or put together with another."""
        with self.lock:
            self.simulation.check()
        assert all(one.triggered_at == one.fired_for == one.due_since for one in self.firings())
        assert len(self.firings()) >= _SLOTS


def test_a_sweep_that_hangs_delays_no_slot() -> None:
    world, sweep = World(), Hanging()
    rounds = [Round(name="sweep", seconds=_OFTEN, run=sweep, lane="sweeps"), *world.rounds()]
    with going_round(rounds):
        assert sweep.began.wait(30)
        world.live_through_slots()
        world.check()
    sweep.may_go.set()


def test_a_condition_whose_measurement_hangs_delays_no_slot() -> None:
    world, measure = World(), Hanging()
    volume = {"condition_type": "volume", "metric": "new_documents", "threshold": 3, "check_interval_seconds": 600}
    slow = Trigger(
        trigger_id="trig_slow",
        namespace_id="ns_a",
        cluster_id="clust_c",
        trigger_type="conditional",
        schedule_config=volume,
        changes={},
        anchor_at=BEGINNING,
        due_at=BEGINNING - timedelta(hours=1),
        created_at=BEGINNING,
        updated_at=BEGINNING,
    )
    world.tables.triggers[slow.trigger_id] = slow
    conditions = world.simulation.firing(lambda: None, types=MEASURED, measure=measure)
    rounds = [Round(name="conditions", seconds=_OFTEN, run=conditions.run_pass, lane="conditions"), *world.rounds()]
    with going_round(rounds):
        assert measure.began.wait(30)
        world.live_through_slots()
        del world.tables.triggers[slow.trigger_id]
        world.check()
    measure.may_go.set()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_lane_that_breaks_ends_the_process_which_is_started_again() -> None:
    def broken() -> int:
        raise SystemExit

    scheduler = Scheduler(rounds=[Round(name="a", seconds=1, run=broken, lane="a")], patience_seconds=30)
    scheduler.run()
    assert scheduler.stopping.is_set()


def test_a_stop_waits_for_the_pass_at_hand() -> None:
    began, ended = threading.Event(), threading.Event()

    def work() -> int:
        began.set()
        scheduler.stop()
        ended.set()
        return 1

    scheduler = Scheduler(rounds=[Round(name="a", seconds=1, run=work)], patience_seconds=30)
    scheduler.run()
    assert began.is_set()
    assert ended.is_set()


def test_what_may_take_long_shares_no_lane_with_slots_jobs_or_deliveries() -> None:
    rounds = build_scheduler(Adapters(Settings())).rounds
    lanes = {lane: {one.name for one in rounds if one.lane == lane} for lane in {one.lane for one in rounds}}
    assert lanes["triggers"] == {"events counted", "triggers fired", "firings ended"}
    assert lanes["conditions"] == {"conditions met"}
    assert lanes["jobs"] == {"reconciled", "relayed", "payload indexes"}
    assert lanes["telling"] == {"told", "messages sent"}
    assert all(one.lane for one in rounds)
