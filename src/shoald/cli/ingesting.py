"""Takes files through the documented calls, upload, segments, join, chunks, index, build, with progress at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoald.cli.job_waiting import finished_job
from shoald.cli.progress import Report
from shoald.cli.rest_client import RestClient, RestError

_PARALLEL_UPLOADS = 4
# of the newest sets and builds: one made long ago is made again
_LOOKED_AT = 50
_CONTENT_TYPES = {".json": "application/json", ".csv": "text/csv", ".txt": "text/plain", ".md": "text/markdown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How files become searchable: loader per file suffix, chunking, and the index's provider and configuration."""

    loader_params: Mapping[str, Any] = field(default_factory=dict)
    chunk_strategy: str = "recursive"
    chunker_params: Mapping[str, Any] = field(default_factory=dict)
    provider: str = "qdrant"
    index_config: Mapping[str, Any] = field(default_factory=lambda: {"embedding_provider": "local"})


def upload_and_segment(
    client: RestClient, project_id: str, files: Sequence[Path], recipe: Recipe, report: Report
) -> list[str]:
    """Upload every file and cut it into segments, a few at a time; return the segment set ids in the files' order."""
    done = 0
    ids: dict[Path, str] = {}
    with ThreadPoolExecutor(_PARALLEL_UPLOADS) as pool:
        running = {pool.submit(_one_file, client, project_id, file, recipe): file for file in files}
        try:
            for finished in as_completed(running):
                ids[running[finished]] = _outcome(finished, running[finished])
                done += 1
                report(done / len(files), f"{done} of {len(files)} files")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # else the rest would still be uploaded
            raise
    return [ids[file] for file in files]


def _outcome(finished: Future[str], file: Path) -> str:
    """Return the segment set id; an error names the file."""
    try:
        return finished.result()
    except RestError as error:
        raise RestError(f"{file}: {error}") from error
    except OSError as error:
        raise RestError(f"{file}: {error.strerror}") from error


def _one_file(client: RestClient, project_id: str, file: Path, recipe: Recipe) -> str:
    content_type = _CONTENT_TYPES.get(file.suffix, "application/octet-stream")
    answer = client.upload(f"/api/v1/projects/{project_id}/documents", file, content_type=content_type)
    version_id = answer["document_version"]["version_id"]
    made = client.post_and_count(
        f"/api/v1/document_versions/{version_id}/segments", _segments_body(file, recipe), set_key="segment_set"
    )
    return str(made["segment_set_version_id"])


def _segments_body(file: Path, recipe: Recipe) -> dict[str, Any]:
    if file.suffix in {".json", ".csv"}:
        return {"loader_type": file.suffix[1:], "loader_params": dict(recipe.loader_params)}
    # Plain text needs no loader: the text itself is the one segment.
    return {"loader_type": "json", "source_text": file.read_text(encoding="utf-8", errors="replace")}


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
