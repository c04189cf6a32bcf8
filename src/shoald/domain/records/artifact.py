"""An artifact: one of the seven kinds of things that a project holds, as its feed shows it and as it is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One artifact; `kind` is an `ArtifactKind`, `metadata` a few fields of the thing, which depend on its kind.

    `is_deleted` is its own mark; what hangs below something deleted keeps its own.
    """

    kind: str
    artifact_id: str
    project_id: str
    created_at: datetime
    is_deleted: bool
    metadata: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEvent:
    """That an artifact was deleted or restored: `action` is an `ArtifactAction`, `actor` the caller's namespace."""

    kind: str
    artifact_id: str
    action: str
    reason: str | None
    actor: str
    request_id: str | None
    created_at: datetime
