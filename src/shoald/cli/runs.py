"""`shoal runs`: what can be done with runs of clusters from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from shoald.cli.job_waiting import completed_task
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.running import running_url

DIFFERENT = 2
"""How `runs repeat` ends when the labels are not the same."""


def runs(
    action: Annotated[str, typer.Argument(help="What to do: repeat.")],
    cluster: Annotated[str, typer.Argument(help="Name or id of the cluster.")],
    run_id: Annotated[str | None, typer.Argument(help="The run; unset: the latest one.")] = None,
    data: Annotated[Path, typer.Option("--data", help="Data directory of a running Shoal.")] = Path(".shoal"),
    url: Annotated[str | None, typer.Option(help="Base URL of a Shoal elsewhere.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Namespace; unset: the server's default.")] = None,
    key: Annotated[str | None, typer.Option(help="API key; unset: SHOAL_API_KEY.", show_default=False)] = None,
) -> None:
    """Do a cluster run again on the vectors that it read, and say whether the labels are the same.

    Ends with status 0 when they are, 2 when some differ, and 1 when the run cannot be repeated.
    """
    if action != "repeat":
        raise typer.BadParameter(f"{action!r} is none of: repeat")
    try:
        with RestClient(url or running_url(data), namespace=namespace, key=key) as client:
            found = repeated(client, cluster, run_id or _latest(client, cluster))
    except RestError as error:
        typer.echo(f"Nothing was repeated: {error}", err=True)
        raise typer.Exit(1) from error
    print(told(found))
    if not found["same_labels"]:
        raise typer.Exit(DIFFERENT)


def repeated(client: RestClient, cluster: str, run_id: str) -> dict[str, Any]:
    """Repeat a run, wait for it, and return how the two compare; raises `RestError` when it fails."""
    task = client.post(f"/v1/clusters/{cluster}/executions/{run_id}/replay")
    with progress(f"Repeating {run_id}") as report:
        ended = completed_task(client, task["task_id"], report)
    again = ended["additional_data"]["run_id"]
    run: dict[str, Any] = client.get(f"/v1/clusters/{cluster}/executions/{again}")
    return {**run["replay"], "run_id": again}


def _latest(client: RestClient, cluster: str) -> str:
    run = client.get(f"/v1/clusters/{cluster}/executions")
    if run is None:
        raise RestError(f"{cluster} has never run")
    return str(run["run_id"])


def told(found: dict[str, Any]) -> str:
    """Say how a repeated run compares with the first.

    >>> told({"of": "run_a", "run_id": "run_b", "same_labels": True, "documents": 5, "differing": 0})
    'run_b gives run_a again: the same label for each of 5 documents'
    """
    if found["same_labels"]:
        return f"{found['run_id']} gives {found['of']} again: the same label for each of {found['documents']} documents"
    index = f"adjusted Rand index {found['adjusted_rand_index']:.4f}"
    differing = f"{found['differing']} of {found['documents']} documents have another label ({index})"
    lines = [f"{found['run_id']} differs from {found['of']}: {differing}"]
    lines += [f"  {one['document_id']}: was {one['was']}, is {one['is']}" for one in found["examples"]]
    return "\n".join(lines)
