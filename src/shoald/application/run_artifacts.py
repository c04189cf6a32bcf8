"""Where the artifacts of runs lie in the object store."""

from __future__ import annotations

from shoald.application.ports.object_store import ObjectStore

MEMBERS = "members"
CENTROIDS = "centroids"
DOCUMENTS = "cluster_documents"
NAMES = (MEMBERS, CENTROIDS, DOCUMENTS)
COMPONENTS = "components"
"""What sparse features were reduced to; only runs over such have it, and no call names it."""


def artifact_key(run_id: str, attempt: int, name: str) -> str:
    """Return the key of an artifact. Attempts write apart, so that a slow one that lost its fence harms nothing."""
    return f"runs/{run_id}/{attempt}/{name}.parquet"


def remove_artifacts(objects: ObjectStore, run_id: str, *, but_attempt: int | None = None) -> None:
    """Remove what a run, or its other attempts, left behind."""
    kept = None if but_attempt is None else f"runs/{run_id}/{but_attempt}/"
    for stored in list(objects.list(f"runs/{run_id}/")):
        if kept is None or not stored.key.startswith(kept):
            objects.delete(stored.key)
