"""`shoal evaluate`: questions with expected passages to a table that says which strategy finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from shoald.cli.evaluation_input import BadInput, needs_vectors, read_questions, read_strategy, usual_strategies
from shoald.cli.job_waiting import finished_job
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.running import running_url

_WIDTH = 120
_PAGE = 200
# resampling fewer questions than these says little of other questions
_FEWEST = 10
_WITHOUT_BUILD = (
    "left out: vector, and bm25 and vector together; the project has no index build (`shoal ingest` makes one)"
)


def evaluate(
    file: Annotated[
        Path,
        typer.Argument(
            help='Questions, one a line: {"query": "…", "expected": ["a text that the passage contains"]}.',
            exists=True,
            dir_okay=False,
        ),
    ],
    project: Annotated[str, typer.Option(help="Name or id of the project.")],
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="A type such as bm25, JSON, or NAME=JSON; again for each. Unset: bm25, vector, and both."),
    ] = None,
    build: Annotated[str | None, typer.Option(help="Index build for vectors; unset: the newest active one.")] = None,
    k: Annotated[str, typer.Option(help="Depths, by comma.")] = "1,5,10",
    misses: Annotated[int, typer.Option(help="Questions to show of which no strategy found anything.", min=0)] = 5,
    data: Annotated[Path, typer.Option("--data", help="Data directory of a running Shoal.")] = Path(".shoal"),
    url: Annotated[str | None, typer.Option(help="Base URL of a Shoal elsewhere.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace; unset: the server's default.")] = None,
    key: Annotated[str | None, typer.Option(help="API key; unset: SHOAL_API_KEY.", show_default=False)] = None,
) -> None:
    """Measure recall, nDCG and MRR of search strategies over your own questions, with 95 % intervals.

    An expected passage is a text that it contains, or {"item_id": "…"}; {"text": "…", "grade": 2} counts twice.
    """
    try:
        questions, depths = read_questions(file), _depths(k)
        wanted = [read_strategy(one) for one in strategy or []]
        with RestClient(url or running_url(data), namespace=namespace, key=key) as client:
            project_id = _project(client, project)
            build_id = build or _newest_build(client, project_id)
            if not wanted and build_id is None:
                typer.echo(_WITHOUT_BUILD, err=True)
            strategies = _aimed(wanted or usual_strategies(has_build=build_id is not None), build_id)
            evaluation = _evaluated(client, project_id, {"questions": questions, "strategies": strategies, "k": depths})
            missed = list(islice(_missed(client, evaluation["evaluation_id"]), misses))
    except (BadInput, RestError, OSError) as error:
        typer.echo(f"Nothing was evaluated: {error}", err=True)
        raise typer.Exit(1) from error
    _show(evaluation)
    for question in missed:
        print(f"Found by none: {question}")


def _depths(given: str) -> list[int]:
    try:
        return [int(one) for one in given.split(",")]
    except ValueError as error:
        raise BadInput(f"--k {given}: depths are whole numbers with commas between them") from error


def _project(client: RestClient, wanted: str) -> str:
    projects = client.get("/api/v1/projects")
    for project in projects:
        if wanted in {project["name"], project["project_id"]}:
            return str(project["project_id"])
    known = ", ".join(sorted(project["name"] for project in projects)) or "none"
    raise BadInput(f"there is no project {wanted!r}; there are: {known}")


def _newest_build(client: RestClient, project_id: str) -> str | None:
    builds = [
        build
        for index in client.get(f"/api/v1/projects/{project_id}/indexes")
        for build in client.get(f"/api/v1/indexes/{index['index_id']}/builds")
        if build["is_active"]
    ]
    newest = max(builds, key=lambda build: build["created_at"], default=None)
    return None if newest is None else str(newest["build_id"])


def _aimed(strategies: Sequence[dict[str, Any]], build_id: str | None) -> list[dict[str, Any]]:
    """Give each strategy that needs vectors its target."""
    aimed = []
    for one in strategies:
        is_for_build = needs_vectors(one["strategy"])
        if is_for_build and build_id is None:
            raise BadInput("a strategy needs vectors, but the project has no index build; see `shoal ingest`")
        aimed.append({**one, "target": "index_build", "target_id": build_id} if is_for_build else one)
    return aimed


def _counted(things: Sequence[Any], word: str) -> str:
    """Return how many there are, in words.

    >>> _counted([1], "strategy"), _counted([1, 2], "strategy"), _counted([], "question")
    ('1 strategy', '2 strategies', '0 questions')
    """
    several = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{len(things)} {word if len(things) == 1 else several}"


def _evaluated(client: RestClient, project_id: str, body: dict[str, Any]) -> dict[str, Any]:
    title = f"Asking {_counted(body['questions'], 'question')} of {_counted(body['strategies'], 'strategy')}"
    with progress(title) as report:
        started = client.post(f"/api/v1/projects/{project_id}/evaluate", {**body, "execution_mode": "async"})
        job = finished_job(client, started["job_id"], report)
    if job["status"] != "succeeded":
        raise RestError(str(job["error_message"]))
    evaluation: dict[str, Any] = client.get(f"/api/v1/evaluations/{started['evaluation']['evaluation_id']}")
    return evaluation


def _missed(client: RestClient, evaluation_id: str) -> Iterator[str]:
    """Yield the questions to which no strategy found a passage that was expected."""
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"/api/v1/evaluations/{evaluation_id}/questions", limit=_PAGE, cursor=cursor)
        for question in page["items"]:
            if not any(rank for answer in question["answers"] for rank in answer["found_at"]):
                yield str(question["query"])
        cursor = page["next_cursor"]


def _show(evaluation: Mapping[str, Any]) -> None:
    """Print a row for each strategy and a column for each metric."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    count = evaluation["question_count"]
    table = Table(title=f"questions: {count}", title_justify="left")
    table.add_column("strategy")
    for metric in evaluation["strategies"][0]["metrics"]:
        table.add_column(f"{metric['metric']}@{metric['k']}", justify="right")
    for strategy in evaluation["strategies"]:
        cells = (_cell(metric, is_marked=count >= _FEWEST) for metric in strategy["metrics"])
        table.add_row(Text(strategy["name"]), *cells)  # a name may hold brackets
    Console(width=None if Console().is_terminal else _WIDTH).print(table)
    first = evaluation["strategies"][0]["name"]
    marks = (
        f"+ and - are better and worse than {first}"
        if count >= _FEWEST
        else "too few questions to tell which is better"
    )
    print(f"Below each mean its {evaluation['confidence']:.0%} interval; {marks}.")
    print(f"Question by question: /api/v1/evaluations/{evaluation['evaluation_id']}/questions")


def _cell(metric: Mapping[str, Any], *, is_marked: bool) -> str:
    r"""Return a mean with its interval below, marked where the strategy differs from the first.

    >>> row = {"mean": 0.5, "low": 0.25, "high": 0.75, "difference_low": 0.1, "difference_high": 0.2}
    >>> _cell(row, is_marked=True)
    '+ 0.500\n0.25-0.75'
    """
    low, high = metric["difference_low"], metric["difference_high"]
    mark = ""
    if is_marked and low is not None and (low > 0 or high < 0):
        mark = "+ " if low > 0 else "- "
    return f"{mark}{metric['mean']:.3f}\n{metric['low']:.2f}-{metric['high']:.2f}"
