"""`shoal doctor`: each thing that can be wrong is said, with what to do."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from shoald.supervisor.binaries import MissingBinaryError
from shoald.supervisor.checks import machine, place
from shoald.supervisor.checks.finding import Severity
from shoald.supervisor.installation import Installation, PartState, State
from support.stack import shoal

pytestmark = pytest.mark.integration

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil's own


def written(
    data: Path, state: str, *, part: str = "ready", pid: int | None = None, started_ticks: int | None = None
) -> Installation:
    """Make an installation whose last supervisor wrote a state with one part."""
    installation = Installation(data)
    installation.prepare()
    valkey = PartState(
        name="valkey",
        state=part,
        address="",
        pid=pid,
        started_ticks=started_ticks,
        restarts=0,
        log=str(data / "logs" / "valkey.log"),
    )
    installation.write_state(
        State(state=state, pid=1, http="", metrics="", data=str(data), message="it said so", parts=(valkey,))
    )
    return installation


def test_a_fine_machine_has_no_problems(tmp_path: Path) -> None:
    done = shoal("doctor", "--json", "--data", str(tmp_path / "new"))
    found = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert {"architecture", "C library", "Python", "venv", "PostgreSQL", "Valkey", "Envoy", "disk", "port"} <= set(
        found
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("system", "cpu"), [("Linux", "riscv64"), ("Darwin", "arm64")])
def test_a_wrong_architecture_is_a_problem(system: str, cpu: str) -> None:
    assert machine.examine_architecture(system, cpu).severity is Severity.PROBLEM


@pytest.mark.parametrize(
    ("name", "version", "severity"),
    [("glibc", "2.31", Severity.OK), ("glibc", "2.28", Severity.PROBLEM), ("", "", Severity.PROBLEM)],
)
def test_the_c_library_must_be_new_enough(name: str, version: str, severity: Severity) -> None:
    assert machine.examine_c_library(name, version).severity is severity


def test_an_old_python_is_a_problem() -> None:
    assert machine.examine_python((3, 10, 4)).severity is Severity.PROBLEM


def test_a_python_without_ensurepip_names_the_package() -> None:
    assert "python3-venv" in machine.examine_venv(has_ensurepip=False).advice


def test_a_missing_wheel_is_a_problem_that_names_the_extra() -> None:
    def missing() -> str:
        raise MissingBinaryError("the package 'x' is not installed")

    finding = machine.examine_program("X", missing)
    assert finding.severity is Severity.PROBLEM
    assert "shoal[embedded]" in finding.advice


def test_a_program_for_another_machine_is_a_problem(tmp_path: Path) -> None:
    program = tmp_path / "postgres"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    program.chmod(0o755)
    finding = machine.examine_program("PostgreSQL", lambda: str(program))
    assert finding.severity is Severity.PROBLEM
    assert "does not run" in finding.text


def test_a_taken_port_is_said_with_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", 0))
        taker.listen()
        port = taker.getsockname()[1]
        finding = place.examine_port(Installation(tmp_path), port)
    assert finding.severity is Severity.WARNING
    assert f"(process {os.getpid()})" in finding.text


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100 << 30, 100 << 30, 100 << 20))
    assert place.examine_disk(tmp_path).severity is Severity.PROBLEM


def test_a_folder_of_somebody_else_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may everything, so it is played
    finding = place.examine_folder(tmp_path)
    assert finding.severity is Severity.PROBLEM
    assert "--data" in finding.advice


def test_a_file_where_the_folder_should_be_is_said_by_up(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    done = shoal("up", "--data", str(tmp_path / "data"))
    assert done.returncode == 1
    assert "cannot be used as data directory" in done.stderr


def test_a_stale_lock_is_seen(data_dir: Path) -> None:
    finding = place.examine_lock(written(data_dir, "ready"))
    assert finding.severity is Severity.WARNING
    assert "was killed" in finding.text


def test_a_part_left_over_by_a_killed_supervisor_is_named(data_dir: Path) -> None:
    from shoald.supervisor.installation import process_ticks

    mine = os.getpid()
    installation = written(data_dir, "ready", pid=mine, started_ticks=process_ticks(mine))
    texts = [finding.text for finding in place.examine_parts(installation)]
    assert any(f"valkey ({mine})" in text for text in texts)


def test_a_pid_that_came_back_as_another_process_is_not_taken_for_a_part(data_dir: Path) -> None:
    installation = written(data_dir, "ready", pid=os.getpid(), started_ticks=1)
    assert list(place.examine_parts(installation)) == []
    assert installation.end_leftovers() == 0


def test_a_dead_part_is_a_problem_with_the_end_of_its_log(data_dir: Path) -> None:
    installation = written(data_dir, "ready", part="waiting")
    (data_dir / "logs" / "valkey.log").write_text("Out of memory\n")
    installation.lock()
    findings = list(place.examine_parts(installation))
    assert [finding.severity for finding in findings] == [Severity.PROBLEM]
    assert "Out of memory" in findings[0].text


def test_a_failed_start_says_again_what_it_said(data_dir: Path) -> None:
    findings = list(place.examine_parts(written(data_dir, "failed")))
    assert findings[0].text == "it said so"


def test_a_database_of_another_version_is_a_problem(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir()
    (data_dir / "postgres" / "PG_VERSION").write_text("16\n")
    assert [finding.severity for finding in place.examine_database(data_dir)] == [Severity.PROBLEM]
    shutil.rmtree(data_dir / "postgres")
    assert list(place.examine_database(data_dir)) == []
