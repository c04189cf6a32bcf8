"""`shoal keys`: API keys are made, listed and revoked beside the database, by whoever runs the installation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from shoald.application.keys import Keys
    from shoald.domain.records.api_key import ApiKey

DataOption = Annotated[
    Path, typer.Option("--data", help="Data directory of a running Shoal; SHOAL_DATABASE_URL wins over it.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="As JSON.")]
keys = typer.Typer(no_args_is_help=True, help="API keys: what callers show where SHOAL_REQUIRE_KEYS is true.")


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; shown in lists.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin; may be repeated. Unset: read and write.")
    ] = None,
    namespace: Annotated[
        list[str] | None, typer.Option(help="Id or name of a namespace that it opens; may be repeated. Unset: all.")
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(help="Id of a project that it opens, of its one namespace; may be repeated. Unset: all."),
    ] = None,
    days: Annotated[float | None, typer.Option(help="Days that it lasts. Unset: until it is revoked.", min=0)] = None,
    data: DataOption = Path(".shoal"),
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it; it cannot be shown again, as only its hash is kept."""
    from shoald.application.keys import NewKey

    new = NewKey(
        name=name,
        scopes=scope or ("read", "write"),
        namespaces=namespace or (),
        projects=project or (),
        lasts=timedelta(days=days) if days is not None else None,
    )
    with _keys(data) as known:
        key, text = known.create(new)
    typer.echo(json.dumps({**_as_object(key), "key": text}, indent=2) if as_json else text)
    if not as_json:
        typer.echo(f"key {key.key_id} ({_opens(key)}); it is shown this once", err=True)


@keys.command("list")
def list_keys(data: DataOption = Path(".shoal"), as_json: JsonOption = False) -> None:
    """List all keys, newest first."""
    with _keys(data) as known:
        found = known.list()
    if as_json:
        typer.echo(json.dumps([_as_object(key) for key in found], indent=2))
        return
    for key in found:
        typer.echo(f"{key.key_id}  {_state(key):<10} {key.created_at:%Y-%m-%d}  {key.name}: {_opens(key)}")


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the key, as `shoal keys list` shows it.")],
    data: DataOption = Path(".shoal"),
) -> None:
    """Let a key open nothing any more, within a second in every server."""
    with _keys(data) as known:
        key = known.revoke(key_id)
    typer.echo(f"key {key.key_id} ({key.name}) is revoked")


@contextmanager
def _keys(data: Path) -> Iterator[Keys]:
    from shoald.application.keys import Keys
    from shoald.domain.failures import Failure
    from shoald.settings import read_settings
    from shoald.supervisor.installation import Installation
    from shoald.supervisor.plan import environment
    from shoald.wiring import Adapters

    settings = read_settings()
    installation = Installation(data)
    if "SHOAL_DATABASE_URL" not in os.environ and installation.state() is not None:
        settings = settings.model_copy(update={"database_url": environment(installation, "")["SHOAL_DATABASE_URL"]})
    adapters = Adapters(settings)
    try:
        yield Keys(open_unit_of_work=adapters.open_as_system, clock=adapters.clock)
    except Failure as failure:
        typer.echo(failure.message, err=True)
        raise typer.Exit(1) from failure
    finally:
        adapters.close()


def _as_object(key: ApiKey) -> dict[str, Any]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "namespace_ids": list(key.namespace_ids),
        "project_ids": list(key.project_ids),
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "revoked_at": _time(key.revoked_at),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expires" if key.expires_at is not None else "valid"


def _opens(key: ApiKey) -> str:
    """Say in words what a key opens."""
    where = ", ".join(key.namespace_ids) or "every namespace"
    if key.project_ids:
        where = f"projects {', '.join(key.project_ids)} of {where}"
    return f"{', '.join(sorted(key.scopes))} in {where}"
