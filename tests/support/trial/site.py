"""A place of work for trial jobs: PostgreSQL and Valkey of its own, workers and schedulers as processes to kill."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from shoald.adapters.postgres.migrating import migrate
from shoald.application.access import Caller
from shoald.application.jobs import JobRequest
from shoald.domain.job_states import EDGES
from shoald.domain.records.job import Job
from shoald.settings import Settings
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.valkey import ValkeyServer
from shoald.supervisor.ports import free_port
from shoald.supervisor.processes import PartStartError, RunningPart, start_part
from shoald.wiring import Adapters
from support.trial.handlers import TABLES, TRIAL, add_handlers
from support.trial.invariants import INVARIANTS
from support.trial.process import COMMAND

PASSWORD = "made-up"
CALLER = Caller(namespace_id="ns_trial000000")
# A killed server keeps what it committed; a machine that loses power is not what is tried here.
_POSTGRES = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "on", "max_connections": "100"}
SHORT_TIMES = {
    "SHOAL_LEASE_SECONDS": "3",
    "SHOAL_HEARTBEAT_SECONDS": "1",
    "SHOAL_CANCEL_LOOK_SECONDS": "0.3",
    "SHOAL_RECONCILE_SECONDS": "0.5",
    "SHOAL_REDISPATCH_SECONDS": "3",
    "SHOAL_DATABASE_POOL_SIZE": "4",
    "SHOAL_JOB_MAX_FAILURES": "3",
}


_LIBC = ctypes.CDLL(None)  # loaded before any fork
_PR_SET_PDEATHSIG = 1


def _die_with_the_tests() -> None:
    """Leave nothing running when the test run itself is killed."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@dataclass
class Process:
    """A started worker or scheduler."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def children(self) -> list[int]:
        """Return the process ids of its children."""
        listing = Path(f"/proc/{self.popen.pid}/task/{self.popen.pid}/children")
        try:
            return [int(pid) for pid in listing.read_text().split()]
        except OSError:
            return []

    def check(self) -> None:
        """Fail when it has ended with an error of its own: what tests do to it ends it by a signal, or with 0."""
        status = self.popen.poll()
        if status is not None and status > 0:
            raise AssertionError(f"{self.name} ended with status {status}: {self.log.read_text()[-2000:]}")

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; what is killed is gone on return."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(number)
        if number == signal.SIGKILL:
            self.popen.wait()

    def stop(self) -> int:
        """Ask it to stop and return its status; kill it when it does not."""
        self.kill(signal.SIGTERM)
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGCONT)
        try:
            return self.popen.wait(15)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            return self.popen.wait()


@dataclass
class Site:
    """What a trial runs on."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.postgres = PostgresServer(
            data=self.folder / "postgres", port=free_port(), password=PASSWORD, settings=_POSTGRES
        )
        self.valkey = ValkeyServer(data=self.folder / "valkey", port=free_port(), password=PASSWORD)
        self.parts: dict[str, RunningPart] = {}
        self.start_server("postgres")
        self.start_server("valkey")
        with psycopg.connect(self.postgres.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE shoal")
        migrate(self.postgres.url())
        self.execute(TABLES)
        self.environment = {
            **SHORT_TIMES,
            "SHOAL_DATABASE_URL": self.postgres.url(),
            "SHOAL_REDIS_URL": self.valkey.url,
            "SHOAL_DATA_DIR": str(self.folder / "data"),
            **self.environment,
        }
        self.adapters = self.make_adapters()

    def make_adapters(self, **changed: str) -> Adapters:
        """Return the outside of a server process on this site."""
        names = {**self.environment, **changed}
        values = {name.removeprefix("SHOAL_").lower(): value for name, value in names.items()}
        adapters = Adapters(Settings(**values))  # type: ignore[arg-type]
        add_handlers(adapters)
        return adapters

    # servers

    def start_server(self, name: str) -> None:
        """Start a server, again and again while what its predecessor left is still in the way."""
        part = {"postgres": self.postgres.part, "valkey": self.valkey.part}[name]()
        until = time.monotonic() + 20
        while True:
            started = start_part(part, self.folder / f"{name}.log")
            try:
                started.wait_ready()
            except PartStartError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
                continue
            self.parts[name] = started
            return

    def kill_server(self, name: str) -> None:
        self.parts[name].kill()

    def freeze_server(self, name: str) -> None:
        """Leave a server reachable, and silent."""
        self.parts[name].process.send_signal(signal.SIGSTOP)

    def thaw_server(self, name: str) -> None:
        self.parts[name].process.send_signal(signal.SIGCONT)

    # processes

    def start(self, what: str, name: str | None = None, *, wait: bool = True, **environment: str) -> Process:
        """Start a worker or a scheduler under a name; a worker is warm on return."""
        name = name or what
        if name in self.processes:
            self.processes.pop(name).stop()
        log = self.folder / f"{name}.log"
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        with log.open("ab") as output:
            popen = subprocess.Popen(
                (*COMMAND, what),
                env={**os.environ, **self.environment, "SHOAL_READY_FILE": str(ready), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - it calls one function, loaded before
            )
        self.processes[name] = process = Process(name, popen, log)
        if wait:
            self.wait_ready(name)
        return process

    def wait_ready(self, name: str) -> None:
        """Return when a process says that it is ready; one that has ended never will."""
        process = self.processes[name]
        ready = self.folder / f"{name}.ready"

        def is_ready() -> bool:
            ended = process.popen.poll() is not None
            if not ready.exists() and ended:
                raise AssertionError(f"{name} ended before it was ready: {process.log.read_text()[-2000:]}")
            return ready.exists()

        self.until(is_ready, 180, lambda: f"{name} to be ready: {process.log.read_text()[-2000:]}")

    def launch(self, name: str) -> None:
        """Start what a name stands for: `worker`, `scheduler`, or another one with a dash; others have one slot."""
        slots = {"SHOAL_WORKER_HEAVY_SLOTS": "0"} if "-" in name and not name.endswith("-a") else {}
        self.start(name.partition("-")[0], name, wait=False, **slots)

    def ensure(self, *names: str) -> None:
        """Start those that do not run, all at once: a `worker…` or a `scheduler…`, as the name says."""
        for name in names:
            process = self.processes.get(name)
            if process is None or process.popen.poll() is not None:
                self.launch(name)
        for name in names:
            self.wait_ready(name)

    def end(self, name: str) -> int:
        """Stop a process and forget it."""
        return self.processes.pop(name).stop()

    def close(self) -> None:
        for process in self.processes.values():
            process.kill()
        self.adapters.close()
        for part in self.parts.values():
            part.stop()

    # jobs

    def submit(self, kind: str = "sleep", *, job_type: str = TRIAL, send: bool = True, **payload: Any) -> str:
        """Accept a job and send it on its way; what is committed counts as accepted."""
        options = {name: payload.pop(name) for name in ("limit_seconds", "idempotency_key") if name in payload}
        caller = payload.pop("caller", CALLER)
        adapters = payload.pop("adapters", self.adapters)
        request = JobRequest(
            job_type=job_type, payload={"kind": kind, **payload}, caller=caller, listed=True, **options
        )
        with adapters.open_unit_of_work() as uow:
            job = adapters.jobs.accepted_before(uow, request) or adapters.jobs.accept(uow, request)
            uow.commit()
        if job.job_id not in self.accepted:
            self.accepted.append(job.job_id)
        if send:
            adapters.jobs.dispatch(job)
        return str(job.job_id)

    def job(self, job_id: str) -> Job:
        return self.adapters.jobs._read(job_id)

    def wait(self, job_ids: Iterable[str], seconds: float = 30) -> list[Job]:
        """Return the jobs, ended."""
        ids = list(job_ids)
        self.until(lambda: not self._unended(ids), seconds, lambda: f"the end of {self._unended(ids)}")
        return [self.job(job_id) for job_id in ids]

    def wait_while_jobs_end(self, job_ids: Iterable[str], *, down_to: int = 0, stall_seconds: float = 60) -> None:
        """Return when so few are left, however long that takes: a backlog may be long, but it must grow shorter."""
        ids = list(job_ids)
        fewest = len(ids) + 1
        end = 0.0
        while len(left := self._unended(ids)) > down_to:
            if len(left) < fewest:
                fewest, end = len(left), time.monotonic() + stall_seconds
            self.check()
            assert time.monotonic() < end, f"nothing ended for {stall_seconds} s, {fewest} wait: {left}"
            time.sleep(0.2)

    def _unended(self, ids: list[str]) -> list[Any]:
        with contextlib.suppress(psycopg.Error):
            return self.rows(
                "SELECT job_id, queue, state, attempt, failures, worker, error_message FROM jobs"
                " WHERE job_id = ANY(%s) AND finished_at IS NULL",
                ids,
            )
        return ["?"] * len(ids)  # the database is away: no news

    def cancel(self, job_id: str) -> None:
        self.adapters.jobs.cancel(CALLER, job_id)

    def pid_of(self, job_id: str, attempt: int = 1) -> int:
        """Return the process in which an attempt's body began."""
        statement = "SELECT pid FROM trial_starts WHERE job_id = %s AND attempt = %s"
        return int(self.rows(statement, job_id, attempt)[0][0])

    def starts(self, job_id: str) -> int:
        """Count how often the body of a job has begun."""
        return int(self.rows("SELECT count(*) FROM trial_starts WHERE job_id = %s", job_id)[0][0])

    def owner_of(self, job_id: str) -> str:
        """Return the name of the worker in which a job's first attempt runs."""
        child = self.pid_of(job_id)
        return next(name for name, process in self.processes.items() if child in process.children())

    def wait_running(self, job_id: str, seconds: float = 40, attempt: int = 1) -> None:
        """Wait until the body of an attempt has begun."""
        statement = "SELECT 1 FROM trial_starts WHERE job_id = %s AND attempt = %s"
        self.until(lambda: bool(self.rows(statement, job_id, attempt)), seconds, f"{job_id} to run")

    def check(self) -> None:
        """Fail when a worker or a scheduler has ended with an error."""
        for process in self.processes.values():
            process.check()

    def until(self, is_true: Any, seconds: float, what: Any) -> None:
        """Wait, but not for what no process is left to do."""
        end = time.monotonic() + seconds
        while not is_true():
            self.check()
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")
            time.sleep(0.05)

    # the database, looked at from outside

    def execute(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.postgres.url(), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode(), values or None)

    def rows(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.postgres.url(), autocommit=True, connect_timeout=5) as connection:
            return connection.execute(statement.encode(), values or None).fetchall()

    def broken_invariants(self) -> dict[str, list[Any]]:
        """Return every invariant that does not hold, with the rows that show it."""
        found = {name: self.rows(statement) for name, statement in INVARIANTS.items()}
        lost = set(self.accepted) - {row[0] for row in self.rows("SELECT job_id FROM jobs")}
        found["I1 accepted jobs are there"] = sorted(lost)
        steps = self.rows("SELECT DISTINCT from_state, to_state FROM job_events")
        known = {(None if a is None else a.value, b.value) for a, b in EDGES}
        found["I13 events are edges"] = [step for step in steps if step not in known]
        return {name: rows for name, rows in found.items() if rows}


@contextlib.contextmanager
def site(folder: Path, **environment: str) -> Iterator[Site]:
    """Lend a site; everything on it is gone afterwards."""
    made = Site(folder, environment=environment)
    try:
        yield made
    finally:
        made.close()
