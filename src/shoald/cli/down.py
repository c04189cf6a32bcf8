"""`shoal down`: stops what `shoal up` runs on a data directory."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from shoald.supervisor.installation import Installation

_POLL_SECONDS = 0.05


def down(
    data: Annotated[Path, typer.Option("--data", help="Data directory of the installation.")] = Path(".shoal"),
    wait: Annotated[float, typer.Option(help="Seconds for a clean stop before it is forced.")] = 90.0,
) -> None:
    """Stop everything on a data directory and wait until nothing of it runs."""
    installation = Installation(data)
    pid = installation.supervisor_pid()
    if pid is None:
        ended = installation.end_leftovers()
        typer.echo(f"nothing runs on {installation.data}" + (f"; ended {ended} processes left over" if ended else ""))
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    if not _is_free(installation, wait):
        typer.echo(f"no clean stop within {wait:.0f} s: killed", err=True)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # its parts die with it
        _is_free(installation, 10.0)
    installation.end_leftovers()
    typer.echo("stopped")


def _is_free(installation: Installation, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while installation.supervisor_pid() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
