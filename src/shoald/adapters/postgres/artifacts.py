"""The feed of artifacts as rows, and the marks that delete and restore them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, case, func, insert, literal, select, true, update

from shoald.adapters.postgres.lineage import KINDS, visible
from shoald.adapters.postgres.tables.artifacts import artifact_events, artifact_feeds, artifacts
from shoald.adapters.postgres.tables.rag import projects
from shoald.domain.records.artifact import Artifact, ArtifactEvent
from shoald.domain.vocabulary import ArtifactAction, ArtifactKind


class PostgresArtifacts:
    """`ArtifactRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(self, project_id: str, *, offset: int, limit: int) -> tuple[Sequence[Artifact], int]:
        """Read by numbers: the newest has the feed's length for its number."""
        wanted = {"project_id": project_id, "offset": offset, "limit": limit}
        rows = self._connection.execute(_PAGE, wanted).all()
        total = rows[0].length if rows else 0
        return [_record(row) for row in rows if row.artifact_id is not None], total

    def get_for_change(self, artifact_id: str, *, namespace_id: str) -> Artifact | None:
        """Find out what it is, then lock and read its own row."""
        found = self._connection.execute(_selected(artifact_id, namespace_id)).one_or_none()
        if found is None:
            return None
        kind = KINDS[ArtifactKind(found.artifact_kind)]
        statement = select(kind.table.c.is_deleted).where(kind.id == artifact_id).with_for_update(key_share=True)
        return Artifact(
            kind=found.artifact_kind,
            artifact_id=artifact_id,
            project_id=found.project_id,
            created_at=found.created_at,
            is_deleted=self._connection.execute(statement).scalar_one(),
            metadata={},
        )

    def is_visible(self, artifact: Artifact) -> bool:
        """Look at its row and at those above."""
        kind = KINDS[ArtifactKind(artifact.kind)]
        statement = select(literal(1)).where(kind.id == artifact.artifact_id, visible(kind.table))
        return self._connection.execute(statement).first() is not None

    def mark(self, artifact: Artifact, event: ArtifactEvent) -> None:
        """Update one row and insert one."""
        kind = KINDS[ArtifactKind(artifact.kind)]
        is_deleted = event.action == ArtifactAction.DELETED
        self._connection.execute(
            update(kind.table).where(kind.id == artifact.artifact_id).values(is_deleted=is_deleted)
        )
        self._connection.execute(
            insert(artifact_events).values(
                artifact_id=event.artifact_id,
                action=event.action,
                reason=event.reason,
                actor=event.actor,
                request_id=event.request_id,
                created_at=event.created_at,
            )
        )

    def events(self, artifact_id: str, *, namespace_id: str, offset: int, limit: int) -> Sequence[ArtifactEvent]:
        """Read rows, latest first."""
        statement = (
            select(artifact_events, artifacts.c.artifact_kind)
            .join(artifacts, artifacts.c.artifact_id == artifact_events.c.artifact_id)
            .join(projects, projects.c.project_id == artifacts.c.project_id)
            .where(artifact_events.c.artifact_id == artifact_id, projects.c.namespace_id == namespace_id)
            .order_by(artifact_events.c.event_no.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_event(row) for row in self._connection.execute(statement)]

    def exists(self, artifact_id: str, *, namespace_id: str) -> bool:
        """Look for its row."""
        return self._connection.execute(_selected(artifact_id, namespace_id)).first() is not None


def _selected(artifact_id: str, namespace_id: str) -> Select[Any]:
    return (
        select(artifacts)
        .join(projects, projects.c.project_id == artifacts.c.project_id)
        .where(artifacts.c.artifact_id == artifact_id, projects.c.namespace_id == namespace_id)
    )


def _page() -> Select[Any]:
    """Return the feed's length beside a part of it; each artifact's own row gives its mark and what is shown."""
    feed = select(artifact_feeds).where(artifact_feeds.c.project_id == bindparam("project_id")).cte("feed")
    part = (
        select(artifacts)
        .where(artifacts.c.project_id == feed.c.project_id, artifacts.c.number <= feed.c.length - bindparam("offset"))
        .order_by(artifacts.c.number.desc())
        .limit(bindparam("limit"))
        .lateral("part")
    )
    source: Any = feed.outerjoin(part, true())
    for name, kind in KINDS.items():
        source = source.outerjoin(kind.table, and_(part.c.artifact_kind == str(name), kind.id == part.c.artifact_id))
    pairs = {
        str(name): func.jsonb_build_object(*(x for column in kind.shown for x in (column, kind.table.c[column])))
        for name, kind in KINDS.items()
    }
    shown = case(pairs, value=part.c.artifact_kind).label("metadata")
    is_deleted = func.coalesce(*(kind.table.c.is_deleted for kind in KINDS.values())).label("is_deleted")
    columns = (part.c.artifact_kind, part.c.artifact_id, part.c.project_id, part.c.created_at)
    return select(feed.c.length, *columns, is_deleted, shown).select_from(source).order_by(part.c.number.desc())


_PAGE = _page()


def _record(row: Row[Any]) -> Artifact:
    return Artifact(
        kind=row.artifact_kind,
        artifact_id=row.artifact_id,
        project_id=row.project_id,
        created_at=row.created_at,
        is_deleted=row.is_deleted,
        metadata=row.metadata,
    )


def _event(row: Row[Any]) -> ArtifactEvent:
    return ArtifactEvent(
        kind=row.artifact_kind,
        artifact_id=row.artifact_id,
        action=row.action,
        reason=row.reason,
        actor=row.actor,
        request_id=row.request_id,
        created_at=row.created_at,
    )
