"""Shoal's own processes as parts; each is `python -m shoald COMMAND`, set by its environment."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shoald.supervisor.part import Part


def command(*words: str) -> tuple[str, ...]:
    """Return the command line of one of our processes: this interpreter, unbuffered, so that logs are whole."""
    return (sys.executable, "-u", "-m", "shoald", *words)


@dataclass(frozen=True, slots=True)
class ReadyFile:
    """The file by which a process tells that it is ready."""

    path: Path

    def forget(self) -> None:
        """Remove what an earlier process left."""
        self.path.unlink(missing_ok=True)

    def is_there(self) -> bool:
        """Say whether the process has told."""
        return self.path.exists()


def migrate_part(environment: Mapping[str, str], *, after: tuple[str, ...]) -> Part:
    """Return the step that brings the database to the newest schema."""
    return Part(name="migrate", command=command("migrate"), after=after, ends=True, environment=environment)


def process_part(
    name: str,
    words: tuple[str, ...],
    environment: Mapping[str, str],
    *,
    run: Path,
    after: tuple[str, ...],
    address: str = "",
    stop_seconds: float = 25.0,
) -> Part:
    """Return a long-lived process of ours, which writes a file when it is ready."""
    ready = ReadyFile(run / f"{name}.ready")
    return Part(
        name=name,
        command=command(*words),
        address=address,
        after=after,
        is_ready=ready.is_there,
        prepare=ready.forget,
        environment={**environment, "SHOAL_READY_FILE": str(ready.path)},
        stop_seconds=stop_seconds,
    )


def answers(port: int) -> Callable[[], bool]:
    """Return a check that a server takes connections on a port of this machine."""

    def check() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    return check
