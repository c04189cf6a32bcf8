"""Takes segment sets through the documented calls, join, chunks, index, build, with progress at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoald.cli.job_waiting import finished_job
from shoald.cli.progress import Report
from shoald.cli.rest_client import RestClient, RestError

# of the newest sets and builds: one made long ago is made again
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How files become searchable: chunking, and the index's provider and configuration."""

    chunk_strategy: str = "recursive"
    chunker_params: Mapping[str, Any] = field(default_factory=dict)
    provider: str = "qdrant"
    index_config: Mapping[str, Any] = field(default_factory=lambda: {"embedding_provider": "local"})


def join_and_chunk(
    client: RestClient, project_id: str, segment_set_ids: Sequence[str], recipe: Recipe
) -> dict[str, Any]:
    """Join the segment sets (none: the active set of every document), chunk the join; return the chunk set."""
    joined = client.post_and_count(
        f"/api/v1/projects/{project_id}/segment_sets/join",
        {"segment_set_ids": list(segment_set_ids)} if segment_set_ids else {},
        set_key="segment_set",
    )
    return client.post_and_count(
        f"/api/v1/segment_sets/{joined['segment_set_version_id']}/chunk",
        {"strategy": recipe.chunk_strategy, "chunker_params": dict(recipe.chunker_params)},
        set_key="chunk_set",
    )


def build_index(client: RestClient, index_id: str, chunk_set_id: str, report: Report) -> dict[str, Any]:
    """Build an index over a chunk set as a job and wait for it; return the finished build.

    Ctrl-C cancels the job, which would else keep the next one waiting.
    """
    started = client.post(
        f"/api/v1/indexes/{index_id}/builds", {"chunk_set_version_id": chunk_set_id, "execution_mode": "async"}
    )
    job = finished_job(client, started["job_id"], report)
    if job["status"] != "succeeded":
        raise RestError(f"the build failed: {job['error_message']}")
    build: dict[str, Any] = client.get(f"/api/v1/index_builds/{started['build']['build_id']}")
    return build


def standing_build(
    client: RestClient, project_id: str, index_id: str, segment_set_ids: Sequence[str]
) -> dict[str, Any] | None:
    """Return the active build of an index if it was made of all these segment sets, joined; else None."""
    builds = client.get(f"/api/v1/indexes/{index_id}/builds", limit=_LOOKED_AT)
    build = next((build for build in builds if build["is_active"]), None)
    if build is None:
        return None
    chunk_sets = client.get(f"/api/v1/projects/{project_id}/chunk_sets", limit=_LOOKED_AT)
    of_build = build["chunk_set_version_id"]
    joined_id = next((s["segment_set_version_id"] for s in chunk_sets if s["chunk_set_version_id"] == of_build), None)
    joins = client.get(f"/api/v1/projects/{project_id}/segment_sets", limit=_LOOKED_AT)
    joined: dict[str, Any] = next((s["input_refs"] for s in joins if s["segment_set_version_id"] == joined_id), {})
    is_whole = set(segment_set_ids) <= set(joined.get("segment_set_version_ids", ()))
    return dict(build) if is_whole else None
