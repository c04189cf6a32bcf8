"""Shoal's own processes as parts; each is `python -m shoald COMMAND`, set by its environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
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
    name: str, environment: Mapping[str, str], *, run: Path, after: tuple[str, ...] = (), uses: tuple[str, ...] = ()
) -> Part:
    """Return a long-lived process of ours, `name` without its number being the command.

    It writes a file when it is ready.
    """
    ready = ReadyFile(run / f"{name}.ready")
    return Part(
        name=name,
        command=command(name.rstrip("-0123456789")),
        after=after,
        uses=uses,
        is_ready=ready.is_there,
        prepare=ready.forget,
        environment={**environment, "SHOAL_READY_FILE": str(ready.path)},
    )
