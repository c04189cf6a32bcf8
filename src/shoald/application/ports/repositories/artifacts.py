"""What the use cases ask of the feed of artifacts, and of their deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.domain.records.artifact import Artifact, ArtifactEvent


class ArtifactRepository(Protocol):
    """Everything that projects hold, deleted or not; what is added to the tables of the kinds stands here too."""

    def page(self, project_id: str, *, offset: int, limit: int) -> tuple[Sequence[Artifact], int]:
        """Return a part of a project's feed, newest first, and how many it has in all; equally fast at any offset.

        Newest is what became visible last.
        """
        ...

    def get_for_change(self, artifact_id: str, *, namespace_id: str) -> Artifact | None:
        """Return an artifact and keep others from deleting or restoring it until the transaction ends."""
        ...

    def is_visible(self, artifact: Artifact) -> bool:
        """Say whether neither it nor anything above it is deleted."""
        ...

    def mark(self, artifact: Artifact, event: ArtifactEvent) -> None:
        """Set or remove the mark of an artifact, as the event says, and store the event."""
        ...

    def events(self, artifact_id: str, *, namespace_id: str, offset: int, limit: int) -> Sequence[ArtifactEvent]:
        """Return what happened to an artifact, latest first."""
        ...

    def exists(self, artifact_id: str, *, namespace_id: str) -> bool:
        """Say whether there is or was such an artifact."""
        ...
