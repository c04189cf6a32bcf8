"""`shoal up`, `down` and `status` over all real parts: what scripts and people in a hurry rely on."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import pytest

from shoald.cli.status import current_state
from shoald.supervisor.installation import Installation, PartState
from support.stack import SHOAL, Stack, running_stack, shoal, status

pytestmark = pytest.mark.acceptance

PARTS = ("postgres", "valkey", "qdrant-owner", "serve-1", "work", "schedule", "envoy")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An installation of this file's own: its parts are killed here."""
    with running_stack(tmp_path_factory.mktemp("installation") / "data") as running:
        yield running


def is_healthy(stack: Stack) -> bool:
    connection = http.client.HTTPConnection(stack.address, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def eventually(claim: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.05)


def processes_of(data: Path) -> set[int]:
    """Return every process with the data directory in its environment, on its command line, or as its folder.

    Valkey and PostgreSQL write their title over the first two.
    """
    needle = str(data).encode()
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(folder.name) == os.getpid():
                continue
            texts = [(folder / name).read_bytes() for name in ("environ", "cmdline")]
            if any(needle in text for text in [*texts, os.fsencode((folder / "cwd").readlink())]):
                found.add(int(folder.name))
    return found


def part(stack: Stack, name: str) -> PartState:
    return next(found for found in current_state(Installation(stack.data)).parts if found.name == name)


def part_is(stack: Stack, name: str, state: str) -> bool:
    return part(stack, name).state == state


def test_status_shows_every_part_with_address_pid_and_log(stack: Stack) -> None:
    eventually(lambda: part(stack, "work").pid is not None and part(stack, "schedule").pid is not None)
    found = stack.status()
    assert found["state"] == "ready"
    assert found["http"] == stack.url
    assert set(found["parts"]) == {*PARTS, "migrate"}
    for name in PARTS:
        shown = found["parts"][name]
        assert shown["pid"] in processes_of(stack.data)
        assert Path(shown["log"]).is_file()
    assert found["parts"]["migrate"]["state"] == "done"


def test_one_page_has_the_metrics_of_all_processes(stack: Stack) -> None:
    address, _, path = stack.status()["metrics"].removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("GET", f"/{path}")
    text = connection.getresponse().read().decode()
    connection.close()
    processes = set(re.findall(r'shoal_process_resident_bytes{pid="(\d+)"}', text))
    assert str(part(stack, "serve-1").pid) in processes


def test_secrets_and_folders_are_the_owners_alone(stack: Stack) -> None:
    assert stat.S_IMODE(stack.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((stack.data / "secrets.json").stat().st_mode) == 0o600


def test_a_second_up_says_that_it_runs(stack: Stack) -> None:
    for options in ((), ("--detach",)):
        again = shoal("up", "--data", str(stack.data), *options)
        assert again.returncode == 0
        assert f"runs already on {stack.url}" in again.stdout


def came_back(stack: Stack, before: PartState) -> bool:
    now = part(stack, before.name)
    return now.restarts > before.restarts and now.state == "ready"


# a worker and a scheduler take long to load what they need, so they do it at the same time
@pytest.mark.parametrize("names", ["postgres", "valkey", "qdrant-owner", "serve-1", "work schedule", "envoy"])
def test_a_part_that_is_killed_comes_back_and_the_api_answers(stack: Stack, names: str) -> None:
    eventually(lambda: all(part_is(stack, name, "ready") for name in names.split()))
    before = [part(stack, name) for name in names.split()]
    for killed in before:
        assert killed.pid
        os.kill(killed.pid, signal.SIGKILL)
    eventually(lambda: all(came_back(stack, killed) for killed in before))
    eventually(lambda: is_healthy(stack))


def test_two_who_start_another_installation_get_the_same_on_the_next_port(stack: Stack, tmp_path: Path) -> None:
    taken = stack.address.rpartition(":")[2]
    data = tmp_path / "other"
    words = [*SHOAL, "up", "--detach", "--data", str(data), "--port", taken]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = [process.communicate(timeout=180)[0] for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        other = Stack(url=status(data)["http"], data=data)
        assert other.url != stack.url
        assert all(other.url in text for text in said)
        assert any(f"port {taken} is taken" in text for text in said)
        assert is_healthy(other)
        assert is_healthy(stack)
    finally:
        stopped = shoal("down", "--data", str(data))
    assert stopped.returncode == 0
    assert processes_of(data) == set()
    assert shoal("status", "--data", str(data)).returncode == 3
    assert is_healthy(stack)


def test_nothing_outlives_a_killed_supervisor_and_up_mends_it(stack: Stack) -> None:
    os.kill(stack.status()["pid"], signal.SIGKILL)
    eventually(lambda: processes_of(stack.data) == set(), seconds=3)
    found = status(stack.data)
    assert (found["state"], found["message"]) == ("stopped", "the supervisor was killed")
    again = shoal("up", "--detach", "--data", str(stack.data), "--port", stack.address.rpartition(":")[2])
    assert again.returncode == 0, again.stderr
    assert is_healthy(stack)
    assert status(stack.data)["http"] == stack.url


def _calls_until_refused(address: str, started: threading.Event) -> list[int]:
    """Call on connections that are kept until the port is closed, and return every status.

    Raises what a client sees when an answer is cut off.
    """
    statuses: list[int] = []
    connection = http.client.HTTPConnection(address, timeout=30)  # opens itself again when an answer says close
    while True:
        is_new = connection.sock is None
        try:
            connection.request("GET", "/api/v1/projects?limit=1")
            answer = connection.getresponse()
        except ConnectionRefusedError:
            return statuses
        except ConnectionError:
            if is_new:  # it stood in the kernel's queue when the port was closed, so nobody had taken it
                return statuses
            raise
        answer.read()
        statuses.append(answer.status)
        started.set()


def test_no_call_fails_when_everything_stops_under_load(stack: Stack) -> None:
    """R13: calls are answered until the port is closed."""
    started = [threading.Event() for _ in range(8)]
    with futures.ThreadPoolExecutor(len(started)) as pool:
        calls = [pool.submit(_calls_until_refused, stack.address, event) for event in started]
        assert all(event.wait(30) for event in started)
        os.kill(stack.status()["pid"], signal.SIGTERM)
        statuses = [call.result(60) for call in calls]
    assert {status for one in statuses for status in one} == {200}
    eventually(lambda: processes_of(stack.data) == set(), seconds=30)
