"""Groups that each speak of one subject, and runs over them that ask a language model for names."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shoald.application.collection_documents import Import
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import DocumentBatch, VectorColumn
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, groups_of

SUBJECTS = ("reading files", "parsing dates", "opening sockets", "drawing charts", "sorting lists")
SIZES = (30, 25, 20, 15, 10)


def store(
    world: ClusterWorld,
    subjects: Sequence[str] = SUBJECTS,
    sizes: Sequence[int] = SIZES,
    *,
    collection: str = "things",
    more: Mapping[str, Any] | None = None,
) -> None:
    """Store groups of documents, each of which speaks of one subject."""
    vectors = groups_of(*sizes)
    words = [subject for subject, size in zip(subjects, sizes, strict=True) for _ in range(size)]
    batch = DocumentBatch(
        ids=[f"d{at:03d}" for at in range(len(words))],
        payloads=[{"title": subject, "n": at, **(more or {})} for at, subject in enumerate(words)],
        vectors=[VectorColumn(name="v", values=np.ascontiguousarray(vectors, dtype=np.float32))],
    )
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection=collection), [batch])


def labeling(**more: Any) -> dict[str, Any]:
    """Return what asks for names by a model that nobody asked before, so that no answer of another test is known."""
    mappings = [{"input_key": "text", "source_type": "payload", "path": "title"}]
    return {
        "enabled": True,
        "provider": "openai",
        "parameters": {"model": f"model-{secrets.token_hex(4)}"},
        "labeling_inputs": {"input_mappings": mappings},
        **more,
    }


def run(world: ClusterWorld, groups: int = 5, *, collection: str = "things", **more: Any) -> tuple[ClusterRun, Job]:
    """Run a new cluster over a collection, and return the run and its job."""
    asked = {
        "collection_ids": [collection],
        "vector_config": {
            "clustering_method": "kmeans",
            "algorithm_params": {"n_clusters": groups},
            "stability": "none",
        },
        "llm_labeling": labeling(**more),
    }
    cluster = world.use_cases.clusters.create(world.caller, asked).cluster.cluster_id
    job = world.run(world.start(cluster))
    assert job.state in {JobState.COMPLETED, JobState.COMPLETED_WITH_ERRORS}, job.error_message
    return world.use_cases.artifacts.run(world.caller, cluster), job


def labels(run: ClusterRun) -> set[str]:
    """Return the names of all groups."""
    return {row["label"] for row in run.groups}
