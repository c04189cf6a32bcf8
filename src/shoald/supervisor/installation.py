"""One data directory: where its parts keep things, its secrets and ports, who supervises it, its state."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shoald.supervisor.ports import free_port, is_port_free

_FOLDERS = ("objects", "snapshots", "cache", "logs", "run")
_POLL_SECONDS = 0.05


class UnusableFolderError(RuntimeError):
    """The data directory cannot be used; the message says why and what to do."""


class AlreadyRunningError(RuntimeError):
    """Another supervisor holds this data directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartState:
    """One part as `shoal status` shows it. `state`: starting, ready, done, waiting (for a restart), stopped."""

    name: str
    state: str
    address: str
    pid: int | None
    started_ticks: int | None
    restarts: int
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The installation as `shoal status` shows it. `state`: starting, ready, stopping, stopped, failed.

    `http` is the base URL for JSON and gRPC alike, `metrics` Prometheus' page.
    """

    state: str
    pid: int
    http: str
    metrics: str
    data: str
    message: str
    parts: Sequence[PartState]


class Installation:
    """A data directory. Making the object touches nothing; `prepare` makes the folders."""

    def __init__(self, data: Path) -> None:
        self.data = data.expanduser().absolute()
        self.run = self.data / "run"
        self.logs = self.data / "logs"
        self.metrics = self.run / "metrics"
        self._lock_file = self.run / "supervisor.lock"
        self._state_file = self.run / "state.json"
        self._lock: int | None = None
        self._ports: dict[str, int] = {}

    def prepare(self) -> None:
        """Make the folders; raises `UnusableFolderError`."""
        try:
            self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in _FOLDERS:
                (self.data / name).mkdir(exist_ok=True, mode=0o700)
            with tempfile.TemporaryFile(dir=self.run):
                pass
        except OSError as error:
            raise UnusableFolderError(
                f"{self.data} cannot be used as data directory: {_why(error)}. Give another with --data, or make"
                " this one writable for the user who runs Shoal."
            ) from error

    # who supervises it

    def lock(self) -> None:
        """Become its only supervisor; raises `AlreadyRunningError`. The kernel frees the lock when we end, however."""
        descriptor = os.open(self._lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunningError(f"Shoal runs already on {self.data}") from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    def supervisor_pid(self) -> int | None:
        """Return the process that supervises it, or None; a file left by a dead one counts for nothing."""
        try:
            descriptor = os.open(self._lock_file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(descriptor, 32).strip() or b"0") or None
        else:
            return None
        finally:
            os.close(descriptor)

    @property
    def has_stale_lock(self) -> bool:
        """Whether a supervisor ended here without cleaning up."""
        state = self.state()
        return self.supervisor_pid() is None and state is not None and state.state not in {"stopped", "failed"}

    def end_leftovers(self, *, patience_seconds: float = 10.0) -> int:
        """End parts that outlived their supervisor, and return how many there were.

        The kernel has told them to stop; some, such as a database that writes its last checkpoint, need a moment.
        """
        state = self.state()
        parts = [(part.pid, part.started_ticks) for part in (state.parts if state else ()) if part.pid is not None]
        left = found = [pid for pid, ticks in parts if process_ticks(pid) == ticks]
        deadline = time.monotonic() + patience_seconds
        while left and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            left = [pid for pid, ticks in parts if pid in left and process_ticks(pid) == ticks]
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found)

    def forget_metrics(self) -> None:
        """Forget the metrics of processes that are gone; before the first new one starts."""
        shutil.rmtree(self.metrics, ignore_errors=True)
        self.metrics.mkdir(parents=True)

    # in what state it is

    def write_state(self, state: State) -> None:
        """Show a state; readers see the old or the new one, never half."""
        self._write(self._state_file, asdict(state))

    def state(self) -> State | None:
        """Return the state last written, or None."""
        found = self._read(self._state_file)
        if not found:
            return None
        try:
            parts = tuple(PartState(**part) for part in found.pop("parts"))
            return State(parts=parts, **found)
        except (KeyError, TypeError):  # another version of Shoal wrote it
            return None

    # what it keeps to itself

    def secret(self, name: str) -> str:
        """Return a secret of this installation, made at first use and readable by its owner only."""
        file = self.data / "secrets.json"
        known = self._read(file)
        if name not in known:
            known[name] = secrets.token_urlsafe(24)
            self._write(file, known)
        return str(known[name])

    def port(self, name: str) -> int:
        """Return the port of a part: the one it had before, so that addresses last.

        Who holds the lock is about to use it, and takes another when it is no longer free.
        """
        if name not in self._ports:
            self._ports[name] = self._choose_port(name)
        return self._ports[name]

    def _choose_port(self, name: str) -> int:
        file = self.data / "ports.json"
        known = self._read(file)
        is_kept = name in known and (self._lock is None or is_port_free(known[name]))
        if not is_kept:
            known[name] = free_port(known.values())
            self._write(file, known)
        return int(known[name])

    @staticmethod
    def _read(file: Path) -> dict[str, Any]:
        try:
            found = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _write(file: Path, content: dict[str, Any]) -> None:
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            json.dump(content, stream, indent=2)
        draft.rename(file)


def _why(error: OSError) -> str:
    return "it is a file" if isinstance(error, FileExistsError) else str(error.strerror)


def process_ticks(pid: int) -> int | None:
    """Return when a process started, in the kernel's ticks since boot, or None when there is no such process.

    Pid and ticks together name a process for good: pids come back.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name, in parentheses, may hold spaces
    return None if fields[0] == "Z" else int(fields[19])
