"""The tree of what hangs below what: the one place that says when a thing is hidden by a deleted one above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Table, literal, not_, or_, select

from shoald.adapters.postgres.tables.clusters import collections
from shoald.adapters.postgres.tables.rag import (
    chunk_sets,
    document_versions,
    documents,
    index_builds,
    indexes,
    retrieval_runs,
    segment_sets,
)
from shoald.domain.vocabulary import ArtifactKind, RetrievalTarget


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of artifact: its table, its key, what of it a feed shows, and what it hangs below."""

    table: Table
    key: str
    shown: tuple[str, ...]
    above: tuple[Above, ...] = ()

    @property
    def id(self) -> ColumnElement[str]:
        """The column of the key."""
        return self.table.c[self.key]


@dataclass(frozen=True, slots=True)
class Above:
    """A column that names something above; `where` is a column and the value with which it does."""

    column: str
    kind: ArtifactKind
    where: tuple[str, str] | None = None


_VERSION = Above("document_version_id", ArtifactKind.DOCUMENT_VERSION)
_SEGMENTS = Above("segment_set_version_id", ArtifactKind.SEGMENT_SET)
_CHUNKS = Above("chunk_set_version_id", ArtifactKind.CHUNK_SET)

KINDS: Mapping[ArtifactKind, Kind] = {
    ArtifactKind.DOCUMENT: Kind(documents, "document_id", ("filename",)),
    ArtifactKind.DOCUMENT_VERSION: Kind(
        document_versions, "version_id", ("document_id", "status"), (Above("document_id", ArtifactKind.DOCUMENT),)
    ),
    ArtifactKind.SEGMENT_SET: Kind(
        segment_sets, "segment_set_version_id", ("document_version_id", "is_active"), (_VERSION,)
    ),
    ArtifactKind.CHUNK_SET: Kind(
        chunk_sets, "chunk_set_version_id", ("segment_set_version_id", "is_active"), (_SEGMENTS,)
    ),
    ArtifactKind.INDEX: Kind(indexes, "index_id", ("name", "provider")),
    ArtifactKind.INDEX_BUILD: Kind(
        index_builds,
        "build_id",
        ("index_id", "status", "is_active"),
        (Above("index_id", ArtifactKind.INDEX), _CHUNKS),
    ),
    # a run holds the text that it found
    ArtifactKind.RETRIEVAL_RUN: Kind(
        retrieval_runs,
        "run_id",
        ("strategy", "target_type"),
        tuple(
            Above("target_id", kind, ("target_type", target))
            for target, kind in (
                (RetrievalTarget.SEGMENT_SET, ArtifactKind.SEGMENT_SET),
                (RetrievalTarget.CHUNK_SET, ArtifactKind.CHUNK_SET),
                (RetrievalTarget.INDEX_BUILD, ArtifactKind.INDEX_BUILD),
            )
        ),
    ),
}


def _hidden(kind: Kind, rows: FromClause) -> ColumnElement[bool]:
    """Return the condition that a row, or something above it, is deleted."""
    return or_(rows.c.is_deleted, *(_hidden_by(rows, above) for above in kind.above))


def _hidden_by(rows: FromClause, above: Above) -> ColumnElement[bool]:
    kind = KINDS[above.kind]
    parents = kind.table.alias()
    found = select(parents.c[kind.key]).where(parents.c[kind.key] == rows.c[above.column], _hidden(kind, parents))
    if above.where is not None:
        column, value = above.where
        found = found.where(rows.c[column] == literal(str(value)))
    return found.correlate(rows).exists()


# made once: the expressions are long, and every read of these kinds uses one
_VISIBLE: dict[Any, ColumnElement[bool]] = {kind.table: not_(_hidden(kind, kind.table)) for kind in KINDS.values()}


VISIBLE_COLLECTIONS = not_(
    or_(
        _hidden_by(collections, Above("index_id", ArtifactKind.INDEX)),
        _hidden_by(collections, Above("index_build_id", ArtifactKind.INDEX_BUILD)),
    )
)
"""The condition that a collection is of no deleted index, and holds the text of no build that is hidden."""


def visible(table: Table) -> ColumnElement[bool]:
    """Return the condition that neither a row of one of the seven tables nor anything above it is deleted."""
    return _VISIBLE[table]
