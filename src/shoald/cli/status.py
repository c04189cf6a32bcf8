"""`shoal status`: what runs on a data directory, for people and for scripts."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from shoald.supervisor.installation import Installation, State, process_ticks

NOT_RUNNING = 3  # as init scripts have it


def status(
    data: Annotated[Path, typer.Option("--data", help="Data directory of the installation.")] = Path(".shoal"),
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what runs on a data directory; ends with status 0 when all is ready, 3 when nothing runs, else 1."""
    state = current_state(Installation(data))
    if as_json:
        typer.echo(json.dumps(_as_object(state), indent=2))
    else:
        _print(state)
    if state.state != "ready":
        raise typer.Exit(NOT_RUNNING if state.state == "stopped" else 1)


def current_state(installation: Installation) -> State:
    """Return the state, which is `stopped` when no supervisor lives, whatever the last one wrote."""
    known = installation.state()
    if known is None:
        return State(state="stopped", pid=0, http="", metrics="", data=str(installation.data), message="", parts=())
    if installation.supervisor_pid() is None:
        parts = tuple(replace(part, state="stopped", pid=None, started_ticks=None) for part in known.parts)
        message = known.message if known.state in {"stopped", "failed"} else "the supervisor was killed"
        return replace(known, state="stopped", message=message, parts=parts)
    parts = tuple(
        part if part.pid is None or process_ticks(part.pid) == part.started_ticks else replace(part, state="dead")
        for part in known.parts
    )
    return replace(known, parts=parts)


def _as_object(state: State) -> dict[str, object]:
    found = asdict(state)
    found["parts"] = {part.pop("name"): part for part in map(asdict, state.parts)}
    for part in found["parts"].values():
        part.pop("started_ticks")
    return found


def _print(state: State) -> None:
    where = f" on {state.http}" if state.http and state.state != "stopped" else ""
    typer.echo(f"{state.state}{where} (data: {state.data})")
    if state.message:
        typer.echo(state.message)
    for part in state.parts:
        again = f", started again {part.restarts} times" if part.restarts else ""
        pid = str(part.pid or "-")
        typer.echo(f"  {part.name:<12} {part.state:<9} {pid:>8}  {part.address or '-':<22} {part.log}{again}")
    if state.metrics and state.state != "stopped":
        typer.echo(f"figures of all parts, for Prometheus: {state.metrics}")
