"""Finds the Shoal that runs on a data directory, or starts it."""

from __future__ import annotations

from pathlib import Path

import typer

from shoald.cli.up import up
from shoald.supervisor.installation import Installation


def running_url(data: Path) -> str:
    """Return its base URL; without one, says how to start it and ends the command."""
    installation = Installation(data)
    state = installation.state()
    if state is None or installation.supervisor_pid() is None:
        typer.echo(f"no Shoal runs on {data}: start it with `shoal up --detach --data {data}`, or give --url", err=True)
        raise typer.Exit(1)
    return state.http


def started_url(data: Path, port: int) -> str:
    """Return its base URL, started in the background unless it runs; says when it did not start, and ends the command.

    A Shoal that is started gets the port, or the next free one.
    """
    up(data=data, port=port, workers=None, servers=None, detach=True)
    state = Installation(data).state()
    if state is None:
        typer.echo(f"Shoal did not start; `shoal doctor --data {data}` says why", err=True)
        raise typer.Exit(1)
    return state.http
