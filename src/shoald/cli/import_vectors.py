"""`shoal import`: vectors and payloads of one file into a collection, straight into the installation's database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shoald.cli.progress import Report, progress
from shoald.domain.failures import Failure, InvalidFields
from shoald.supervisor.installation import Installation

if TYPE_CHECKING:
    from shoald.application.collection_documents import Import, Imported
    from shoald.domain.records.collection import DocumentBatch


def import_vectors(
    file: Annotated[
        Path, typer.Argument(help="A .parquet, .npy, .jsonl, .ndjson or .arrow file.", exists=True, dir_okay=False)
    ],
    collection: Annotated[str, typer.Option(help="Name or id of the collection; a new name makes one.")],
    namespace: Annotated[str | None, typer.Option(help="Namespace; unset: the default one.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Data directory of a running Shoal; unset: .shoal, or the environment with SHOAL_DATABASE_URL.",
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put the file's documents in the place of all that there are.")
    ] = False,
) -> None:
    """Store the documents of a file with their vectors; all of them or, when something is wrong, none."""
    from shoald.application.collection_documents import Import

    if data is None and not os.environ.get("SHOAL_DATABASE_URL"):
        data = Path(".shoal")
    if data is not None:
        os.environ.update(environment_of(data))
    try:
        stored = _import(file, Import(namespace=namespace, collection=collection, replace=replace))
    except Failure as failure:
        typer.echo(f"Nothing was stored: {reason_of(failure, file)}", err=True)
        raise typer.Exit(1) from failure
    print(f"{stored.inserted} documents in collection {collection} ({stored.collection_id})")
    for warning in stored.warnings:
        typer.echo(warning, err=True)


def reason_of(failure: Failure, file: Path) -> str:
    """Say what is wrong, and with the file or the option where the API would name a part of its body."""
    if not isinstance(failure, InvalidFields):
        return str(failure)
    return "; ".join(f"{_place(one.loc, file)}: {one.message}" for one in failure.problems)


def _place(loc: Sequence[str | int], file: Path) -> str:
    if "collection_id" in loc:
        return "--collection"
    within = ".".join(str(part) for part in loc if part != "body")
    return f"{file}: {within}" if within else str(file)


def environment_of(data: Path) -> dict[str, str]:
    """Return the settings of what runs on a data directory; without one, says how to start it and ends the command."""
    from shoald.supervisor.plan import environment

    installation = Installation(data)
    state = installation.state()
    if state is None or installation.supervisor_pid() is None:
        typer.echo(
            f"no Shoal runs on {data}: start it with `shoal up --detach --data {data}`, or set SHOAL_DATABASE_URL",
            err=True,
        )
        raise typer.Exit(1)
    return environment(installation, state.http)


def _import(file: Path, target: Import) -> Imported:
    from shoald.adapters.parquet.document_tables import ArrowDocumentTables

    tables = ArrowDocumentTables()
    with progress(f"Importing {file.name}") as report:
        rows = StoredRows(tables.rows_in(str(file)), report)
        return import_batches(target, tables.from_file(str(file)), rows)


def import_batches(target: Import, batches: Iterable[DocumentBatch], step: Callable[[int], None]) -> Imported:
    """Store documents straight in the database that the environment names, all of them or none.

    `step` is told of each batch how many rows it had. Raises `Failure` for what cannot be stored.
    """
    from shoald.application.collection_documents import CollectionDocuments
    from shoald.application.kept_nodes import KeptNodes
    from shoald.settings import read_settings
    from shoald.wiring import Adapters, build_access

    adapters = Adapters(read_settings(), is_worker=True)
    try:
        documents = CollectionDocuments(
            open_unit_of_work=adapters.open_unit_of_work,
            clock=adapters.clock,
            cursors=adapters.page_cursors,
            nodes=KeptNodes(),
        )
        caller = build_access(adapters).caller(target.namespace)
        return documents.import_batches(caller, target, batches, step=step)
    finally:
        adapters.close()


class StoredRows:
    """Turns numbers of stored rows into progress; a file that does not say its length shows the count only."""

    def __init__(self, total: int | None, report: Report) -> None:
        self._total = total
        self._report = report
        self.done = 0

    def __call__(self, stored: int) -> None:
        """Count the rows of a batch that was stored."""
        self.done += stored
        share = min(1.0, self.done / self._total) if self._total else 0.0
        self._report(share, f"{self.done:,} documents")
