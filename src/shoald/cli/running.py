"""Finds the Shoal that runs on a data directory."""

from __future__ import annotations

from pathlib import Path

import typer

from shoald.supervisor.installation import Installation


def running_url(data: Path) -> str:
    """Return its base URL; without one, says how to start it and ends the command."""
    installation = Installation(data)
    state = installation.state()
    if state is None or installation.supervisor_pid() is None:
        typer.echo(f"no Shoal runs on {data}: start it with `shoal up --detach --data {data}`, or give --url", err=True)
        raise typer.Exit(1)
    return state.http
