"""A pipeline: what was asked for with one file, and what its steps have made so far."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """One run through the steps; the last three ids are None until their steps are done.

    `index_id` is None when nothing is to be built.
    """

    job_id: str
    project_id: str
    document_id: str
    document_version_id: str
    loader_type: str
    loader_params: JsonObject
    chunk_strategy: str
    chunker_params: JsonObject
    index_id: str | None
    index_params: JsonObject
    segment_set_version_id: str | None = None
    chunk_set_version_id: str | None = None
    index_build_id: str | None = None
