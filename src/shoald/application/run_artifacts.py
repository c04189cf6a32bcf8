"""Where the artifacts of runs lie in the object store."""

from __future__ import annotations

import json

from shoald.application.ports.object_store import ObjectStore
from shoald.domain.json_types import JsonObject

MEMBERS = "members"
CENTROIDS = "centroids"
DOCUMENTS = "cluster_documents"
NAMES = (MEMBERS, CENTROIDS, DOCUMENTS)
COMPONENTS = "components"
"""What sparse features were reduced to; only runs over such have it, and no call names it."""


def artifact_key(run_id: str, attempt: int, name: str) -> str:
    """Return the key of an artifact. Attempts write apart, so that a slow one that lost its fence harms nothing."""
    return f"runs/{run_id}/{attempt}/{name}.parquet"


def fields_as_text(fields: JsonObject | None) -> str | None:
    """Return the further fields of a group as they stand in a file: JSON, since each labelling may have others.

    >>> fields_as_text({"sentiment": "positive"}), fields_as_text({})
    ('{"sentiment": "positive"}', None)
    """
    return json.dumps(fields, ensure_ascii=False, default=dict) if fields else None


def remove_artifacts(objects: ObjectStore, run_id: str, *, but_attempt: int | None = None) -> None:
    """Remove what a run, or its other attempts, left behind.

    What a later job made of a completed run lies in folders of other names; an attempt that tidies up late leaves it.
    """
    folder = f"runs/{run_id}/"
    for stored in list(objects.list(folder)):
        attempt = stored.key.removeprefix(folder).partition("/")[0]
        if but_attempt is None or (attempt.isdigit() and attempt != str(but_attempt)):
            objects.delete(stored.key)
