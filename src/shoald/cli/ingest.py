"""`shoal ingest`: files into a project, searchable at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from shoald.cli.ingesting import Recipe, build_index, join_and_chunk, standing_build
from shoald.cli.local_files import KNOWN_ENDINGS, LocalFile, SamePath, files_in, folder_name, outermost
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.running import running_url
from shoald.cli.taking_files import Taken, take_files

_NAMED = 5
"""Files of a long list that are named."""


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders whose files are taken.", exists=True)],
    project: Annotated[str, typer.Option(help="Name of the project; made when there is none.")],
    data: Annotated[Path, typer.Option("--data", help="Data directory of a running Shoal.")] = Path(".shoal"),
    url: Annotated[str | None, typer.Option(help="Base URL of a Shoal elsewhere.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace; unset: the server's default.")] = None,
    key: Annotated[str | None, typer.Option(help="API key; unset: SHOAL_API_KEY.", show_default=False)] = None,
    provider: Annotated[
        Literal["qdrant", "faiss", "pgvector"], typer.Option(help="Where the vectors are searched.")
    ] = "qdrant",
    embedding_provider: Annotated[
        Literal["local", "openai", "mock"], typer.Option(help="Who makes the vectors.")
    ] = "local",
    prune: Annotated[bool, typer.Option(help="Delete, softly, the documents of files that are gone.")] = False,
) -> None:
    """Upload files, cut them into chunks, embed them and build the project's index `ingested` over all of them.

    Each file is read by its ending; one that you name and whose ending is unknown is read as text. A file is known by
    the name of its folder and its path below it. What has not changed is neither sent nor read again; changed bytes
    become the next version of the same document, and the index is of the newest versions. Files that are gone from a
    folder are named; with --prune their documents are deleted, which can be undone, and leave the index. Two folders
    of one name are one folder here: give them projects of their own. Files that cannot be read are left out and named
    at the end.
    """
    try:
        files, left_out = files_in(paths)
    except SamePath as error:
        raise typer.BadParameter(str(error)) from error
    if left_out:
        names = _named(file.path for file in left_out)
        typer.echo(f"files left out: {names}; in a folder, these endings are taken: {KNOWN_ENDINGS}", err=True)
    if not files:
        typer.echo(f"no files to take; known endings: {KNOWN_ENDINGS}", err=True)
        raise typer.Exit(1)
    folders = _Folders(
        names=[folder_name(folder) for folder in outermost(paths)],
        there={file.source_path for file in (*files, *left_out)},
        prune=prune,
    )
    recipe = Recipe(provider=provider, index_config={"embedding_provider": embedding_provider})
    address = url or running_url(data)
    try:
        with RestClient(address, namespace=namespace, key=key) as client:
            build = _ingest(client, project, files, folders, recipe)
    except RestError as error:
        typer.echo(f"Ingestion stopped: {error}", err=True)
        raise typer.Exit(1) from error
    print(f"project {build['project_id']}, index {build['index_id']}, build {build['build_id']}: ready to be searched")
    print(_search_line(address, build, namespace))


@dataclass(frozen=True, slots=True)
class _Folders:
    """The folders that were named, the paths of all that lies in them, and whether what is gone is to be deleted."""

    names: Sequence[str]
    there: AbstractSet[str]
    prune: bool


def _named(files: Iterable[Path | str]) -> str:
    """Return how many files there are and what the first are called.

    >>> _named([Path("a.png"), "b.png"])
    '2 (a.png, b.png)'
    """
    all_names = [str(file) for file in files]
    names = ", ".join(all_names[:_NAMED])
    return f"{len(all_names)} ({names}{', …' if len(all_names) > _NAMED else ''})"


def _search_line(address: str, build: Mapping[str, Any], namespace: str | None) -> str:
    """Return a command that asks the build."""
    asked = {
        "query": "…",
        "target": "index_build",
        "target_id": build["build_id"],
        "strategy": {"type": "vector", "k": 5},
    }
    header = f" -H 'x-namespace: {namespace}'" if namespace else ""
    path = f"{address.rstrip('/')}/api/v1/projects/{build['project_id']}/retrieve"
    body = json.dumps(asked, ensure_ascii=False)
    return f"  curl -s {path} -H 'content-type: application/json'{header} -d '{body}'"


def _ingest(
    client: RestClient, project_name: str, files: list[LocalFile], folders: _Folders, recipe: Recipe
) -> dict[str, Any]:
    project_id = _project(client, project_name)
    with progress("Uploading and segmenting") as report:
        taken = take_files(client, project_id, files, report)
    _tell(taken)
    pruned = _vanished(client, taken, folders)
    index_id = _index(client, project_id, recipe)
    if taken.fresh == pruned == 0 and (standing := standing_build(client, project_id, index_id, taken.segment_set_ids)):
        return standing
    with progress("Joining the sets and chunking"):
        # No ids: the active set of every document, so that what was ingested before stays searchable.
        chunk_set = join_and_chunk(client, project_id, [], recipe)
    with progress(f"Embedding {chunk_set['total_items']} chunks and building the index") as report:
        return build_index(client, index_id, chunk_set["chunk_set_version_id"], report)


def _tell(taken: Taken) -> None:
    """Say what was taken; without a single good file there is nothing to build."""
    changed = f"{taken.changed} changed, " if taken.changed else ""
    print(f"files taken: {taken.fresh - taken.changed} new, {changed}{taken.reused} known", flush=True)
    for failure in taken.failures:
        typer.echo(f"left out: {failure}", err=True)
    if taken.failures:
        typer.echo(f"files that could not be read: {len(taken.failures)}", err=True)
    if not taken.segment_set_ids:
        raise typer.Exit(1)


def _vanished(client: RestClient, taken: Taken, folders: _Folders) -> int:
    """Name the files that are gone, and delete their documents if that is wanted; return how many were deleted."""
    gone = taken.known.vanished(folders.names, folders.there)
    if not gone:
        return 0
    names = _named(sorted(gone))
    if not folders.prune:
        typer.echo(f"files that are gone: {names}; they stay, and stay found: --prune deletes them", err=True)
        return 0
    for document_id in gone.values():
        client.delete(f"/api/v1/artifacts/{document_id}")
    typer.echo(f"files that are gone, and deleted: {names}", err=True)
    return len(gone)


def _project(client: RestClient, name: str) -> str:
    for project in client.get("/api/v1/projects"):
        if project["name"] == name:
            return str(project["project_id"])
    return str(client.post("/api/v1/projects", {"name": name})["project_id"])


def _index(client: RestClient, project_id: str, recipe: Recipe) -> str:
    wanted = ("ingested", recipe.provider, recipe.index_config["embedding_provider"])
    for index in client.get(f"/api/v1/projects/{project_id}/indexes"):
        if (index["name"], index["provider"], index["config"].get("embedding_provider")) == wanted:
            return str(index["index_id"])
    body = {"name": "ingested", "provider": recipe.provider, "config": dict(recipe.index_config)}
    return str(client.post(f"/api/v1/projects/{project_id}/indexes", body)["index_id"])
