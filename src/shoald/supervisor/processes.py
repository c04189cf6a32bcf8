"""Starts a part as a child that cannot outlive its supervisor, with its output in a log file, and stops it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from shoald.supervisor.part import Part

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)  # loaded before any fork: nothing may be loaded between fork and exec
_POLL_SECONDS = 0.02


class PartStartError(RuntimeError):
    """A part did not start; the message says which, why, and where its log is."""


@dataclass(slots=True)
class RunningPart:
    """A started part."""

    part: Part
    process: subprocess.Popen[bytes]
    log: Path
    started_at: float

    @property
    def pid(self) -> int:
        """The process's id."""
        return self.process.pid

    def is_alive(self) -> bool:
        """Say whether the process still runs."""
        return self.process.poll() is None

    def wait_ready(self) -> None:
        """Return when the part answers; raises `PartStartError` when it ends or its time is over."""
        deadline = time.monotonic() + self.part.ready_seconds
        while not self.part.is_ready():
            if not self.is_alive():
                raise PartStartError(
                    f"{self.part.name} ended with status {self.process.returncode}\n{log_tail(self.log)}"
                )
            if time.monotonic() > deadline:
                raise PartStartError(
                    f"{self.part.name} did not answer within {self.part.ready_seconds:.0f} s\n{log_tail(self.log)}"
                )
            time.sleep(_POLL_SECONDS)

    def ask_to_stop(self) -> None:
        """Send the part its stop signal; it may take its time."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(self.part.stop_signal)

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the process: politely first, by SIGKILL when its time is over."""
        if self.is_alive():
            self.ask_to_stop()
        try:
            self.process.wait(self.part.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()


def _become(part: Part, parent: int) -> None:
    """Run in the child between fork and exec: die with the parent, also when it died already."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, part.death_signal)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def start_part(part: Part, log: Path) -> RunningPart:
    """Prepare and start a part, its output appended to `log`; raises `PartStartError`.

    Call it from the main thread: the kernel's death signal watches the thread that forked.
    """
    try:
        return _start(part, log)
    except (OSError, subprocess.SubprocessError) as error:  # a full disk, a program that is gone, no more processes
        raise PartStartError(f"{part.name} cannot be started: {error}") from error


def _start(part: Part, log: Path) -> RunningPart:
    part.prepare()
    log.parent.mkdir(parents=True, exist_ok=True)
    parent = os.getpid()
    # O_APPEND lets the log be truncated under the writer when it is rotated
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        process = subprocess.Popen(
            part.command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env={**os.environ, **part.environment},
            user=part.user,
            start_new_session=True,  # Ctrl-C in the terminal is for the supervisor, which stops parts in order
            preexec_fn=lambda: _become(part, parent),  # noqa: PLW1509 - one thread only, see above
        )
    finally:
        os.close(descriptor)
    return RunningPart(part=part, process=process, log=log, started_at=time.time())


def log_tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            last = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return f"(no log at {log})"
    return "\n".join([f"the end of {log}:", *(f"  {line}" for line in last)])
