"""`shoal serve`, `work`, `schedule`, `migrate`, `qdrant-owner`: one process each, set by the environment."""

from __future__ import annotations

from typing import Annotated

import typer


def migrate(
    wait: Annotated[float, typer.Option(help="Seconds to wait for a database that is not up yet.")] = 60.0,
    revision: Annotated[str, typer.Option(help="Revision to go to.")] = "head",
) -> None:
    """Make the database and bring it to the newest schema; safe to run any number of times at once."""
    from shoald.adapters.postgres.migrating import DatabaseOutOfReachError
    from shoald.entrypoints import migrate as entry
    from shoald.settings import read_settings

    try:
        entry.run(read_settings(), revision=revision, wait_seconds=wait)
    except DatabaseOutOfReachError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
