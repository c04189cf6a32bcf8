"""The feed of what a project holds, and its soft deletion: an id goes in, the mark and its audit come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.projects import visible_project
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import ArtifactNotFound
from shoald.domain.records.artifact import Artifact, ArtifactEvent
from shoald.domain.vocabulary import ArtifactAction, ArtifactKind

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.tracing import Tracing
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork

DEFAULT_LIMIT = 20
MOST_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactPage:
    """A part of a feed; `total` counts all of it, `next_offset` is None at the end."""

    items: Sequence[Artifact]
    next_offset: int | None
    total: int


class Lineage:
    """Shows what the projects of the caller's namespace hold, deletes it softly and restores it."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, tracing: Tracing) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._tracing = tracing

    def page(self, caller: Caller, project_id: str, *, limit: int = DEFAULT_LIMIT, offset: int = 0) -> ArtifactPage:
        """Return a part of a project's feed, newest first, deleted ones included; more than 200 are 200.

        Raises `ProjectNotFound`.
        """
        limit = min(limit, MOST_LIMIT)
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            items, total = uow.artifacts.page(project_id, offset=offset, limit=limit)
        end = offset + len(items)
        return ArtifactPage(items=items, next_offset=end if items and end < total else None, total=total)

    def delete(
        self, caller: Caller, artifact_id: str, *, reason: str | None = None, kind: ArtifactKind | None = None
    ) -> ArtifactEvent:
        """Mark an artifact as deleted: neither it nor what hangs below it is found any more.

        Nothing becomes active in its place, and stored objects stay. Raises `ArtifactNotFound` for one that is not
        found, be it that it or something above it is deleted, or that it is not of the `kind`.
        """
        with self._open_unit_of_work() as uow:
            artifact = _found(uow, caller, artifact_id)
            if not uow.artifacts.is_visible(artifact) or (kind is not None and artifact.kind != kind):
                raise _not_found(artifact_id)
            event = self._event(caller, artifact, ArtifactAction.DELETED, reason)
            uow.artifacts.mark(artifact, event)
            uow.commit()
        return event

    def restore(self, caller: Caller, artifact_id: str) -> ArtifactEvent:
        """Take the mark away: what hung below is found again as it was, less what is deleted by its own mark.

        One that is not deleted stays as it is. Raises `ArtifactNotFound` for an id that never was.
        """
        with self._open_unit_of_work() as uow:
            artifact = _found(uow, caller, artifact_id)
            event = self._event(caller, artifact, ArtifactAction.RESTORED)
            if artifact.is_deleted:
                uow.artifacts.mark(artifact, event)
                uow.commit()
        return event

    def events(self, caller: Caller, artifact_id: str, wanted: ListRange) -> Listed[ArtifactEvent]:
        """Return when an artifact was deleted and restored, by whom and why, latest first.

        Raises `ArtifactNotFound` for an id that never was.
        """
        namespace_id = caller.namespace_id
        with self._open_unit_of_work() as uow:
            if not uow.artifacts.exists(artifact_id, namespace_id=namespace_id):
                raise _not_found(artifact_id)
            return read_list(
                lambda offset, limit: uow.artifacts.events(
                    artifact_id, namespace_id=namespace_id, offset=offset, limit=limit
                ),
                wanted,
            )

    def _event(
        self, caller: Caller, artifact: Artifact, action: ArtifactAction, reason: str | None = None
    ) -> ArtifactEvent:
        return ArtifactEvent(
            kind=artifact.kind,
            artifact_id=artifact.artifact_id,
            action=action,
            reason=reason,
            actor=caller.namespace_name,
            request_id=self._tracing.current().request_id,
            created_at=self._clock.now(),
        )


def _found(uow: UnitOfWork, caller: Caller, artifact_id: str) -> Artifact:
    artifact = uow.artifacts.get_for_change(artifact_id, namespace_id=caller.namespace_id)
    if artifact is None:
        raise _not_found(artifact_id)
    return artifact


def _not_found(artifact_id: str) -> ArtifactNotFound:
    return ArtifactNotFound(detail={"artifact_id": artifact_id})
