"""The supervisor over small parts: order, restarts, stops, and what the kernel does when it is killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shoald.supervisor.installation import AlreadyRunningError, Installation, State
from support import small_installation

pytestmark = pytest.mark.integration

# writes its name to the diary, tells that it is ready, waits to be stopped
LIVES = """
import os, pathlib, signal, sys, time
folder, name = pathlib.Path(sys.argv[1]), "{name}"
def note(word):
    with open(folder / "diary", "a") as diary: diary.write(name + " " + word + "\\n")
def stop(*_):
    note("stopped"); os._exit(0)
signal.signal(signal.SIGTERM, stop)
note("started"); time.sleep({delay}); (folder / (name + ".ready")).touch()
while True: time.sleep(60)
"""
STUBBORN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
(pathlib.Path(sys.argv[1]) / "stubborn.ready").touch()
while True: time.sleep(60)
"""


def lives(name: str, *needs: str, delay: float = 0.0) -> dict[str, Any]:
    return {"name": name, "after": needs, "uses": needs, "code": LIVES.format(name=name, delay=delay)}


class Running:
    """A supervisor in a process of its own."""

    def __init__(self, data: Path, parts: list[dict[str, Any]]) -> None:
        self.installation = Installation(data)
        self.process = subprocess.Popen(
            [sys.executable, small_installation.__file__, str(data), json.dumps(parts)],
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, claim: Callable[[State], bool], seconds: float = 15.0) -> State:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            state = self.installation.state()
            if state and claim(state):
                return state
            time.sleep(0.02)
        raise AssertionError(f"not so within {seconds} s: {self.installation.state()}")

    def wait_ready(self) -> State:
        return self.wait_until(lambda state: state.state == "ready")

    def pids(self) -> dict[str, int]:
        state = self.installation.state()
        assert state
        return {part.name: part.pid for part in state.parts if part.pid}

    def diary(self) -> list[str]:
        return (self.installation.run / "diary").read_text().splitlines()

    def end(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=20)
        return self.process.returncode, output


@contextlib.contextmanager
def supervised(data: Path, *parts: dict[str, Any]) -> Iterator[Running]:
    running = Running(data, list(parts))
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def is_alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_parts_start_after_what_they_need_and_stop_in_reverse(data_dir: Path) -> None:
    with supervised(data_dir, lives("top", "middle"), lives("middle", "bottom"), lives("bottom", delay=0.2)) as running:
        running.wait_ready()
        status, _ = running.end()
        assert status == 0
        assert running.diary() == [f"{name} started" for name in ("bottom", "middle", "top")] + [
            f"{name} stopped" for name in ("top", "middle", "bottom")
        ]


def test_a_step_is_done_before_its_successors_start(data_dir: Path) -> None:
    step = {"name": "step", "ends": True, "code": "import time; time.sleep(0.2)"}
    with supervised(data_dir, lives("later", "step"), step) as running:
        state = running.wait_ready()
        assert {part.name: part.state for part in state.parts} == {"later": "ready", "step": "done"}


def test_a_part_that_is_killed_starts_again_and_the_others_go_on(data_dir: Path) -> None:
    with supervised(data_dir, lives("one"), lives("two", "one")) as running:
        running.wait_ready()
        before = running.pids()
        os.kill(before["one"], signal.SIGKILL)
        running.wait_until(lambda state: state.parts[0].restarts == 1 and state.parts[0].state == "ready")
        after = running.pids()
        assert after["one"] != before["one"]
        assert after["two"] == before["two"]


def test_a_part_that_never_starts_ends_the_run_with_its_last_words(data_dir: Path) -> None:
    broken = {"name": "broken", "code": "raise SystemExit('no such luck')"}
    with supervised(data_dir, lives("fine"), broken) as running:
        output, _ = running.process.communicate(timeout=15)
        assert running.process.returncode == 1
        assert "no such luck" in output
        state = running.installation.state()
        assert state is not None
        assert state.state == "failed"
        assert "no such luck" in state.message
        assert running.pids() == {}


def test_a_part_that_nobody_awaits_is_tried_again_and_again_while_the_others_serve(data_dir: Path) -> None:
    broken = {"name": "broken", "code": "raise SystemExit('no such luck')", "awaited": False, "after": ["fine"]}
    with supervised(data_dir, lives("fine"), broken) as running:
        running.wait_until(lambda state: state.state == "ready" and state.parts[1].restarts >= 4)
        status, _ = running.end()
        assert status == 0


def test_a_long_farewell_of_one_part_holds_up_only_what_it_uses(data_dir: Path) -> None:
    slow = {**lives("slow", "used"), "farewell_seconds": 1.0}
    with supervised(data_dir, lives("used"), lives("other"), slow) as running:
        running.wait_ready()
        status, _ = running.end()
        assert status == 0
        assert running.diary()[3:] == ["other stopped", "slow stopped", "used stopped"]


def test_a_part_that_ignores_the_stop_is_killed_when_its_time_is_over(data_dir: Path) -> None:
    with supervised(data_dir, {"name": "stubborn", "code": STUBBORN, "stop_seconds": 0.3}) as running:
        running.wait_ready()
        pid = running.pids()["stubborn"]
        status, output = running.end()
        assert status == 0
        assert "is killed" in output
        assert not is_alive(pid)


@pytest.mark.parametrize("slow", ["stop_seconds", "farewell_seconds"])
def test_a_second_signal_ends_the_patience(slow: str, data_dir: Path) -> None:
    with supervised(data_dir, {"name": "stubborn", "code": STUBBORN, slow: 60}) as running:
        running.wait_ready()
        running.process.send_signal(signal.SIGINT)
        running.wait_until(lambda state: state.state == "stopping")
        running.process.send_signal(signal.SIGINT)
        running.process.communicate(timeout=5)
        assert running.process.returncode == 0


def test_nothing_outlives_a_killed_supervisor_and_its_lock_is_free(data_dir: Path) -> None:
    with supervised(data_dir, lives("one"), {"name": "stubborn", "code": STUBBORN}) as running:
        running.wait_ready()
        pids = running.pids()
        assert running.installation.supervisor_pid() == running.process.pid
        running.process.kill()
        running.process.wait()
        deadline = time.monotonic() + 3
        while any(map(is_alive, pids.values())) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not any(map(is_alive, pids.values()))
        assert running.installation.supervisor_pid() is None
        assert running.installation.has_stale_lock
    with supervised(data_dir, lives("one")) as again:
        again.wait_until(lambda state: state.state == "ready" and state.pid == again.process.pid)


def test_only_one_supervisor_holds_a_data_directory(data_dir: Path) -> None:
    with supervised(data_dir, lives("one")) as running:
        running.wait_ready()
        with pytest.raises(AlreadyRunningError):
            Installation(data_dir).lock()


def test_a_stop_while_starting_stops_what_has_started(data_dir: Path) -> None:
    never = {"name": "never", "code": "import time; time.sleep(60)", "after": ["one"]}
    with supervised(data_dir, lives("one"), never) as running:
        running.wait_until(lambda state: any(part.name == "never" and part.pid for part in state.parts))
        pids = running.pids()
        status, _ = running.end()
        assert status == 0
        assert not any(map(is_alive, pids.values()))
