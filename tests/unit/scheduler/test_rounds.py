"""The scheduler's turns."""

from __future__ import annotations

import threading
import time

from shoald.scheduler.rounds import Round, Scheduler


def test_each_round_comes_at_its_own_pace_until_the_stop() -> None:
    counts = {"often": 0, "rarely": 0}

    def count(name: str) -> int:
        counts[name] += 1
        return 1

    scheduler = Scheduler(
        rounds=[
            Round(name="often", seconds=0.01, run=lambda: count("often")),
            Round(name="rarely", seconds=60, run=lambda: count("rarely")),
        ]
    )
    thread = threading.Thread(target=scheduler.run)
    thread.start()
    time.sleep(0.2)
    scheduler.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert counts["rarely"] == 1
    assert counts["often"] > 3


def test_a_pass_that_fails_gets_another_turn_and_holds_up_nobody() -> None:
    calls: list[str] = []

    def fail() -> int:
        calls.append("fails")
        raise ConnectionError

    failing = Round(name="fails", seconds=5.0, run=fail)
    failing.take_turn(time.monotonic())
    failing.take_turn(time.monotonic())
    failing.take_turn(time.monotonic() + 6.0)
    assert calls == ["fails", "fails"]
