"""`shoal map`: a file of vectors, or a collection that there is, becomes a table of groups and a picture to open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from shoald.cli.map_server import MapServer, lent_server
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError

if TYPE_CHECKING:
    from shoald.cli.map_run import MapWish
    from shoald.cli.map_table import DrawnMap

_NAMED = 12
"""Groups that are named at the end."""
_TEXT_LENGTH = 200
_SHOWN = 80
"""Characters of a group's name that are printed."""
_LARGE = 50_000_000
"""Bytes from which browsers take long over a page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is mapped and where the files go."""

    file: Path | None
    collection: str | None
    name: str
    vectors: str | None
    ids: str | None
    texts: tuple[str, ...]
    output: Path
    text_length: int
    namespace: str | None


def map_vectors(
    file: Annotated[
        Path | None,
        typer.Argument(help="A .parquet, .npy, .jsonl, .ndjson or .arrow file.", exists=True, dir_okay=False),
    ] = None,
    vectors: Annotated[str | None, typer.Option(help="Column of the vectors; unset: the only one.")] = None,
    text: Annotated[
        str | None, typer.Option(help="Column of the text to show and to name groups by; unset: text, content, title …")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Column of a short title, shown before the text.")] = None,
    ids: Annotated[
        str | None, typer.Option("--id", help="Column of the ids; unset: document_id or id, else rows are numbered.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of map and collection; unset: that of the file.")] = None,
    collection: Annotated[
        str | None, typer.Option(help="Map this collection (id or name) as it is; no file is read.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where the files go, without their endings; unset: NAME_map in this folder.")
    ] = None,
    algorithm: Annotated[str, typer.Option(help="leiden, hdbscan, kmeans, evoc, auto …")] = "leiden",
    parameters: Annotated[str, typer.Option(help='Its parameters as JSON, such as {"resolution": 2}.')] = "{}",
    levels: Annotated[int, typer.Option(help="Levels of groups within groups.", min=0, max=5)] = 1,
    model: Annotated[
        str | None, typer.Option(help="Language model that names the groups; unset: Shoal does, by their own words.")
    ] = None,
    provider: Annotated[str | None, typer.Option(help="Who has that model: openai, google or anthropic.")] = None,
    text_length: Annotated[
        int, typer.Option(help="Characters of each text that the picture carries.", min=0, max=10_000)
    ] = _TEXT_LENGTH,
    data: Annotated[Path, typer.Option("--data", help="Data directory of the Shoal to use.")] = Path(".shoal"),
    port: Annotated[int, typer.Option(help="Port of a Shoal that is started.", min=1, max=65535)] = 8000,
    keep: Annotated[bool, typer.Option("--keep", help="Leave a Shoal running that was started.")] = False,
    url: Annotated[str | None, typer.Option(help="Base URL of a Shoal elsewhere; nothing is started.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace; unset: the server's default.")] = None,
    key: Annotated[str | None, typer.Option(help="API key; unset: SHOAL_API_KEY.", show_default=False)] = None,
) -> None:
    """Group the vectors of a file, name the groups and write OUTPUT.parquet and OUTPUT.html.

    Shoal is started on the data directory when none runs there, and stopped again. The file becomes a collection; when
    it has not changed since, it is not imported again. The page opens from disk, without a network. Columns of other
    vectors are left out; all other columns become the documents' payload.
    """
    from shoald.cli.map_import import MapError, collection_name
    from shoald.cli.map_run import MapWish

    if (file is None) == (collection is None):
        raise typer.BadParameter("give a file, or --collection with the name of one that there is")
    called = name or (collection_name(file) if file else str(collection))
    wanted = _Wanted(
        file=file,
        collection=collection,
        name=called,
        vectors=vectors,
        ids=ids,
        texts=tuple(one for one in (label, text) if one),
        output=output or Path(f"{called}_map"),
        text_length=text_length,
        namespace=namespace,
    )
    named_by = {"provider": provider, "model_name": model}
    wish = MapWish(
        algorithm=algorithm,
        levels=levels,
        parameters=_parameters(algorithm, parameters),
        vectors=vectors if file is None else None,  # a file brings no others
        texts=wanted.texts,
        labeling={what: said for what, said in named_by.items() if said},
    )
    _check_output(wanted)
    try:
        with (
            lent_server(url, data, port=port, keep=keep) as server,
            RestClient(server.url, namespace=namespace, key=key) as client,
        ):
            _map(client, server, wanted, wish)
    except (MapError, RestError) as error:
        typer.echo(f"No map was made: {error}", err=True)
        raise typer.Exit(1) from error


def _parameters(algorithm: str, words: str) -> dict[str, Any]:
    """Return the parameters that an algorithm may be given; refuses the others before anything is imported."""
    given = _object(words)
    from shoald.domain.clustering.parameters import parse_algorithm
    from shoald.domain.failures import InvalidFields

    try:
        parse_algorithm(algorithm, given, loc=())
    except InvalidFields as refused:
        raise typer.BadParameter("; ".join(_flaw(one.loc, one.message) for one in refused.problems)) from refused
    return given


def _flaw(loc: Sequence[str | int], message: str) -> str:
    """Say what is wrong with the parameter at a place, or with the algorithm where there is no place."""
    return f"--parameters: {'.'.join(map(str, loc))} {message}" if loc else f"--algorithm {message}"


def _object(words: str) -> dict[str, Any]:
    try:
        given = json.loads(words)
    except ValueError as error:
        raise typer.BadParameter(f"--parameters is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise typer.BadParameter('--parameters must be a JSON object, such as {"resolution": 2}')
    return given


def _check_output(wanted: _Wanted) -> None:
    """Refuse what would fail at the very end, or write over the file that is read."""
    if not wanted.output.parent.is_dir():
        raise typer.BadParameter(f"--output: there is no folder {wanted.output.parent}")
    table = _with_ending(wanted.output, "parquet")
    if wanted.file is not None and table.resolve() == wanted.file.resolve():
        raise typer.BadParameter(f"--output {wanted.output} would write over {wanted.file}")


def _with_ending(output: Path, ending: str) -> Path:
    return output.with_name(f"{output.name}.{ending}")


def _map(client: RestClient, server: MapServer, wanted: _Wanted, wish: MapWish) -> None:
    from shoald.cli.map_run import run_of
    from shoald.cli.map_table import drawn_map

    collection = _collection(client, server, wanted)
    run = run_of(client, collection, wish)
    with progress("Fetching points and texts"):
        drawn = drawn_map(client, run, collection["collection_id"], wanted.texts)
    _write(drawn, wanted)
    _tell(run, documents=collection["document_count"], rows=drawn.table.num_rows)


def _collection(client: RestClient, server: MapServer, wanted: _Wanted) -> dict[str, Any]:
    from shoald.adapters.parquet.chosen_columns import ChosenColumns
    from shoald.cli.map_import import MapSource, imported

    if wanted.file is None:
        found: dict[str, Any] = client.get(f"/v1/collections/{quote(str(wanted.collection), safe='')}")
        return found
    columns = ChosenColumns(vectors=wanted.vectors, ids=wanted.ids, others=wanted.texts)
    source = MapSource(file=wanted.file, columns=columns, namespace=wanted.namespace)
    return imported(client, server, source, wanted.name)


def _write(drawn: DrawnMap, wanted: _Wanted) -> None:
    from shoald.cli.map_picture import write_picture
    from shoald.cli.map_table import write_table

    table, page = _with_ending(wanted.output, "parquet"), _with_ending(wanted.output, "html")
    with progress("Writing the table and the picture"):
        size = write_table(table, drawn)
        drawn_size = write_picture(page, wanted.name, drawn.groups, drawn.points, text_length=wanted.text_length)
    print(f"{table}: {drawn.table.num_rows:,} rows, {size / 1e6:.1f} MB")
    print(f"{page}: {drawn_size / 1e6:.1f} MB; open it in a browser")
    if drawn_size > _LARGE:
        typer.echo("note: browsers take long over such a page; a smaller --text-length makes it smaller", err=True)


def _tell(run: Mapping[str, Any], documents: int, rows: int) -> None:
    """Name the largest groups of the first level, what is not on the map, and what the run warns of."""
    from shoald.cli.map_picture import shown
    from shoald.domain.records.cluster import NOISE_CENTROID

    groups = [row for row in run["centroids"] if row.get("parent_cluster_id") is None]
    named = sorted(groups, key=lambda row: (row["cluster_id"] == NOISE_CENTROID, -row["num_members"]))
    for row in named[:_NAMED]:
        print(f"{row['num_members']:>9,}  {shown(row.get('label') or row['cluster_id'], _SHOWN)}")
    if len(named) > _NAMED:
        print(f"{'':>9}  and {len(named) - _NAMED} more")
    if rows < documents:
        typer.echo(
            f"note: {documents - rows:,} of {documents:,} documents have no vector, and are not on the map", err=True
        )
    for warning in (*(run.get("llm_labeling_errors") or ()), *(run.get("warnings") or ())):
        typer.echo(f"note: {shown(warning, 4 * _SHOWN)}", err=True)
