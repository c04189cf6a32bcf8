"""`shoal ingest`: files into a project, searchable at the end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from shoald.cli.ingesting import Recipe, build_index, join_and_chunk, upload_and_segment
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.running import running_url

_SUFFIXES = {".json", ".csv", ".txt", ".md"}


def ingest(
    paths: Annotated[list[Path], typer.Argument(help="Files, or folders whose files are taken.", exists=True)],
    project: Annotated[str, typer.Option(help="Name of the project; made when there is none.")],
    data: Annotated[Path, typer.Option("--data", help="Data directory of a running Shoal.")] = Path(".shoal"),
    url: Annotated[str | None, typer.Option(help="Base URL of a Shoal elsewhere.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace; unset: the server's default.")] = None,
    provider: Annotated[Literal["qdrant", "faiss"], typer.Option(help="Where the vectors are searched.")] = "qdrant",
    embedding_provider: Annotated[
        Literal["local", "openai", "mock"], typer.Option(help="Who makes the vectors.")
    ] = "local",
) -> None:
    """Upload files, cut them into chunks, embed them and build the project's index `ingested` over all of them.

    JSON and CSV are read as such, every other file as text. What is ingested twice is there twice.
    """
    files = sorted(_files(paths))
    known = ", ".join(sorted(_SUFFIXES))
    if not files:
        typer.echo(f"no files to take; known endings: {known}", err=True)
        raise typer.Exit(1)
    if binary := [str(file) for file in files if _is_binary(file)]:
        typer.echo(f"no text, so nothing was taken: {', '.join(binary)}; known endings: {known}", err=True)
        raise typer.Exit(1)
    if left_out := sum(map(_count, paths)) - len(files):
        typer.echo(f"files left out: {left_out}; in a folder, these endings are taken: {known}", err=True)
    recipe = Recipe(provider=provider, index_config={"embedding_provider": embedding_provider})
    try:
        with RestClient(url or running_url(data), namespace=namespace) as client:
            build = _ingest(client, project, files, recipe)
    except RestError as error:
        typer.echo(f"Ingestion stopped: {error}", err=True)
        raise typer.Exit(1) from error
    print(f"project {build['project_id']}, index {build['index_id']}, build {build['build_id']}: ready to be searched")


def _files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file for file in path.rglob("*") if file.suffix in _SUFFIXES and file.is_file())
        else:
            yield path


def _count(path: Path) -> int:
    return sum(file.is_file() for file in path.rglob("*")) if path.is_dir() else 1


def _is_binary(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            head = content.read(8192)
    except OSError:
        return False  # uploading it will say why
    return b"\0" in head or head.startswith(b"%PDF-")


def _ingest(client: RestClient, project_name: str, files: list[Path], recipe: Recipe) -> dict[str, Any]:
    project_id = _project(client, project_name)
    with progress("Uploading and segmenting") as report:
        upload_and_segment(client, project_id, files, recipe, report)
    with progress("Joining the sets and chunking"):
        # No ids: the active set of every document, so that what was ingested before stays searchable.
        chunk_set = join_and_chunk(client, project_id, [], recipe)
    index_id = _index(client, project_id, recipe)
    with progress(f"Embedding {chunk_set['total_items']} chunks and building the index") as report:
        return build_index(client, index_id, chunk_set["chunk_set_version_id"], report)


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
