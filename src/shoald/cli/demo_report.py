"""Prints what the demo found: passages, groups, quality, and lines to paste."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shoald.cli.rest_client import RestClient

_PASSAGES = 3
_MEMBERS = 3
_GROUPS_SHOWN = 15
_WIDTH = 100
_QUALITY = (
    "silhouette_score",
    "davies_bouldin_index",
    "calinski_harabasz_score",
    "mean_cosine_to_centroid",
    "noise_ratio",
    "cluster_size_entropy",
)


def one_line(text: str, width: int = _WIDTH) -> str:
    r"""Return the text on one line of at most `width` characters.

    >>> one_line("a\n  b", 10)
    'a b'
    """
    return textwrap.shorten(text, width, placeholder=" …")


def vector_request(question: str, build_id: str, limit: int) -> dict[str, Any]:
    """Return the body of a vector retrieval over one build."""
    return {
        "query": question,
        "target": "index_build",
        "target_id": build_id,
        "strategy": {"type": "vector", "k": limit},
        "limit": limit,
    }


def passages(client: RestClient, project_id: str, build_id: str, questions: Sequence[str]) -> None:
    """Ask every question and print the best passages with score and source."""
    for question in questions:
        print(f"\nQ: {question}")
        answer = client.post(f"/api/v1/projects/{project_id}/retrieve", vector_request(question, build_id, _PASSAGES))
        for item in answer["items"]:
            print(f"  {item['score']:.3f}  {one_line(item['page_content'])}")
            print(f"         {item['metadata'].get('source', '')}, chunk {item['metadata']['position']}")


def groups(client: RestClient, cluster_id: str, run_id: str) -> None:
    """Print the run's groups, largest first, and its quality figures."""
    execution = client.get(f"/v1/clusters/{cluster_id}/executions/{run_id}")
    groups_found = [c for c in execution["centroids"] if c["cluster_id"] != "cl_cluster_noise"]
    shown = sorted(groups_found, key=lambda c: -c["num_members"])
    title = f"\n{execution['num_clusters']} groups of {execution['num_points']} chunks"
    table = Table(title=title, title_justify="left")
    table.add_column("name", max_width=34)
    table.add_column("size", justify="right")
    table.add_column("cohesion", justify="right")
    table.add_column("three members", max_width=72)
    for centroid in shown[:_GROUPS_SHOWN]:
        members = Text("\n".join(one_line(text, 70) for text in _members(client, centroid)))  # brackets are text
        cohesion = f"{centroid['mean_cosine_similarity']:.2f}"
        table.add_row(Text(centroid["label"]), str(centroid["num_members"]), cohesion, members, end_section=True)
    Console(width=None if Console().is_terminal else 130).print(table)
    if len(shown) > _GROUPS_SHOWN:
        print(f"… and {len(shown) - _GROUPS_SHOWN} smaller groups")
    metrics = execution["metrics"]
    figures = (f"{name} {metrics[name]:.3f}" for name in _QUALITY if metrics.get(name) is not None)
    print("Quality: " + ", ".join(figures))
    if metrics.get("should_recluster"):
        print("The run says that its groups should be made anew, with other settings.")


def _members(client: RestClient, centroid: Mapping[str, Any]) -> Iterator[str]:
    """Yield the texts of the members nearest to a group's centroid."""
    for nearest in centroid["representative_ids"][:_MEMBERS]:
        document = client.get(f"/v1/collections/{nearest['collection_id']}/documents/{nearest['document_id']}")
        yield str(document.get("content", nearest["document_id"]))


def stop_command(data: Path) -> str:
    """Return the line that stops the Shoal of a data directory.

    >>> stop_command(Path("elsewhere"))
    'make down DATA=elsewhere'
    """
    return "make down" if data == Path(".shoal") else f"make down DATA={data}"


def addresses(base_url: str, state: Mapping[str, str], data: Path) -> None:
    """Print where Shoal goes on listening and lines that work as pasted."""
    host = base_url.removeprefix("http://")
    body = '{"query": "parse a date", "strategy": {"type": "bm25", "k": 3}}'
    print(
        f"""
Shoal goes on listening at {base_url} (JSON, gRPC and gRPC-Web on one port); logs are in {data}/logs.

  curl -s {base_url}/api/v1/projects
  curl -s {base_url}/api/v1/projects/{state["project_id"]}/retrieve -H 'content-type: application/json' -d '{body}'
  curl -s {base_url}/v1/clusters/{state["cluster_id"]}/executions/{state["run_id"]}

  .venv/bin/buf curl --protocol grpc --http2-prior-knowledge --reflect -d '{{}}' \\
    {base_url}/shoal.rag.v1.ProjectService/ListProjects

  .venv/bin/python - <<'END'
import grpc
from shoal.rag.v1 import project_service_pb2, project_service_pb2_grpc
with grpc.insecure_channel("{host}") as channel:
    projects = project_service_pb2_grpc.ProjectServiceStub(channel)
    print(projects.ListProjects(project_service_pb2.ListProjectsRequest()))
END

Stop it with: {stop_command(data)}"""
    )
