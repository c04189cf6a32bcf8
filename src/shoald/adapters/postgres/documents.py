"""Documents and their versions as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Row,
    Select,
    Text,
    any_,
    bindparam,
    cast,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from shoald.adapters.postgres.lineage import visible
from shoald.adapters.postgres.tables.rag import document_versions, documents, projects, segment_sets
from shoald.domain.records.document import Document, DocumentVersion, StoredContent


class PostgresDocuments:
    """`DocumentRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, document: Document, version: DocumentVersion) -> None:
        """Insert one row each."""
        self._connection.execute(
            insert(documents).values(
                document_id=document.document_id,
                project_id=document.project_id,
                filename=document.filename,
                mime=document.mime,
                storage_uri=document.storage_uri,
                metadata=document.metadata,
                is_deleted=document.is_deleted,
                created_at=document.created_at,
                updated_at=document.updated_at,
            )
        )
        self._connection.execute(insert(document_versions).values(**_version_values(version)))

    def add_version(self, document: Document, version: DocumentVersion) -> None:
        """Move the active mark to a new row, and update the document's."""
        mine = document_versions.c.document_id == document.document_id
        self._connection.execute(
            update(document_versions).where(mine, document_versions.c.is_active).values(is_active=False)
        )
        self._connection.execute(insert(document_versions).values(**_version_values(version)))
        self._connection.execute(
            update(documents)
            .where(documents.c.document_id == document.document_id)
            .values(
                filename=document.filename,
                mime=document.mime,
                storage_uri=document.storage_uri,
                metadata=document.metadata,
                updated_at=document.updated_at,
            )
        )

    def active_version(self, document_id: str) -> DocumentVersion | None:
        """Read the row with the mark."""
        statement = select(document_versions).where(
            document_versions.c.document_id == document_id, document_versions.c.is_active, visible(document_versions)
        )
        row = self._connection.execute(statement).one_or_none()
        return _version(row) if row else None

    def get(self, document_id: str, *, namespace_id: str) -> Document | None:
        """Read a row that is not deleted."""
        row = self._connection.execute(_selected(document_id, namespace_id)).one_or_none()
        return _document(row) if row else None

    def get_for_change(self, document_id: str, *, namespace_id: str) -> Document | None:
        """Read a row and lock it; rows that refer to it can still be added."""
        statement = _selected(document_id, namespace_id).with_for_update(key_share=True, of=documents)
        row = self._connection.execute(statement).one_or_none()
        return _document(row) if row else None

    def list(self, project_id: str, *, offset: int, limit: int, content_hash: str | None = None) -> Sequence[Document]:
        """Read rows, newest first."""
        statement = (
            select(documents)
            .where(documents.c.project_id == project_id, visible(documents), *_with_bytes(content_hash))
            .order_by(documents.c.created_at.desc(), documents.c.document_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_document(row) for row in self._connection.execute(statement)]

    def get_version(self, version_id: str, *, namespace_id: str) -> tuple[DocumentVersion, Document] | None:
        """Read a version and its document."""
        version = self._connection.execute(
            select(document_versions).where(
                document_versions.c.version_id == version_id, ~document_versions.c.is_deleted
            )
        ).one_or_none()
        if version is None:
            return None
        document = self._connection.execute(
            select(documents)
            .join(projects, projects.c.project_id == documents.c.project_id)
            .where(documents.c.document_id == version.document_id, projects.c.namespace_id == namespace_id)
        ).one_or_none()
        return (_version(version), _document(document)) if document else None

    def of_contents(self, project_id: str, hashes: Sequence[str]) -> Sequence[StoredContent]:
        """Read versions by their hashes, with the sets that hang on them."""
        has_set = (
            (segment_sets.c.document_version_id == document_versions.c.version_id)
            & segment_sets.c.is_active
            & ~segment_sets.c.is_deleted
        )
        statement = (
            select(
                document_versions.c.content_hash,
                documents.c.document_id,
                documents.c.filename,
                document_versions.c.version_id.label("document_version_id"),
                segment_sets.c.segment_set_version_id,
                segment_sets.c.params["loader_type"].astext.label("loader_type"),
            )
            .join(documents, documents.c.document_id == document_versions.c.document_id)
            .outerjoin(segment_sets, has_set)
            .where(documents.c.project_id == project_id, visible(documents), document_versions.c.is_active)
            .where(document_versions.c.content_hash == any_(cast(list(hashes), ARRAY(Text))))
            .order_by(documents.c.created_at, documents.c.document_id)
        )
        return [StoredContent(**row._asdict()) for row in self._connection.execute(statement)]

    def of_segment_set(self, segment_set_id: str) -> tuple[str, Document] | None:
        """Go up from the set in one step."""
        row = self._connection.execute(_OF_SEGMENT_SET, {"segment_set_id": segment_set_id}).one_or_none()
        return (row.version_id, _document(row)) if row else None

    def of_versions(self, version_ids: Sequence[str]) -> dict[str, Document]:
        """Read the documents of many versions at once."""
        statement = (
            select(documents, document_versions.c.version_id)
            .join(document_versions, document_versions.c.document_id == documents.c.document_id)
            .where(document_versions.c.version_id == any_(cast(list(version_ids), ARRAY(Text))))
        )
        return {row.version_id: _document(row) for row in self._connection.execute(statement)}

    def hidden_in(self, project_id: str) -> Sequence[str]:
        """Read what partial indexes know of deleted rows."""
        return self._connection.scalars(_HIDDEN_IN, {"project_id": project_id}).all()

    def hidden_beside(self, segment_set_id: str) -> Sequence[str]:
        """Read those of the set's project, if the set is of no version."""
        return self._connection.scalars(_HIDDEN_BESIDE, {"segment_set_id": segment_set_id}).all()

    def list_versions(self, document_id: str, *, offset: int, limit: int) -> Sequence[DocumentVersion]:
        """Read rows, newest first."""
        statement = (
            select(document_versions)
            .where(document_versions.c.document_id == document_id, visible(document_versions))
            .order_by(document_versions.c.created_at.desc(), document_versions.c.version_id.desc())
            .offset(offset)
            .limit(limit)
        )
        return [_version(row) for row in self._connection.execute(statement)]

    def lock_version(self, version_id: str) -> None:
        """Lock a row; rows that refer to it can still be added."""
        statement = select(document_versions.c.version_id).where(document_versions.c.version_id == version_id)
        self._connection.execute(statement.with_for_update(key_share=True))


def _hidden(project_id: ColumnElement[str]) -> CompoundSelect[Any]:
    versions = (
        select(document_versions.c.version_id)
        .join(documents, documents.c.document_id == document_versions.c.document_id)
        .where(documents.c.project_id == project_id)
    )
    return versions.where(documents.c.is_deleted).union(versions.where(document_versions.c.is_deleted))


# made once: every read of items and every search asks one of them
_HIDDEN_IN = _hidden(bindparam("project_id"))
_HIDDEN_BESIDE = _hidden(
    select(segment_sets.c.project_id)
    .where(segment_sets.c.segment_set_version_id == bindparam("segment_set_id"))
    .where(segment_sets.c.document_version_id.is_(None))
    .scalar_subquery()
)


def _selected(document_id: str, namespace_id: str) -> Select[Any]:
    return (
        select(documents)
        .join(projects, projects.c.project_id == documents.c.project_id)
        .where(documents.c.document_id == document_id, visible(documents))
        .where(projects.c.namespace_id == namespace_id)
    )


def _with_bytes(content_hash: str | None) -> list[ColumnElement[bool]]:
    if content_hash is None:
        return []
    version = document_versions.c
    found = select(version.version_id).where(version.document_id == documents.c.document_id, version.is_active)
    return [found.where(version.content_hash == content_hash, visible(document_versions)).correlate(documents).exists()]


def _version_values(version: DocumentVersion) -> dict[str, Any]:
    return {
        "version_id": version.version_id,
        "document_id": version.document_id,
        "content_hash": version.content_hash,
        "filename": version.filename,
        "mime": version.mime,
        "size": version.size,
        "parser_params": version.parser_params,
        "params": version.params,
        "input_refs": version.input_refs,
        "artifact_uri": version.artifact_uri,
        "producer_type": version.producer_type,
        "producer_version": version.producer_version,
        "status": version.status,
        "is_active": version.is_active,
        "is_deleted": version.is_deleted,
        "created_at": version.created_at,
    }


# made once: building a statement costs more than sending it
_OF_SEGMENT_SET = (
    select(documents, document_versions.c.version_id)
    .join(document_versions, document_versions.c.document_id == documents.c.document_id)
    .join(segment_sets, segment_sets.c.document_version_id == document_versions.c.version_id)
    .where(segment_sets.c.segment_set_version_id == bindparam("segment_set_id"))
)


def _document(row: Row[Any]) -> Document:
    return Document(
        document_id=row.document_id,
        project_id=row.project_id,
        filename=row.filename,
        mime=row.mime,
        storage_uri=row.storage_uri,
        metadata=row.metadata,
        is_deleted=row.is_deleted,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _version(row: Row[Any]) -> DocumentVersion:
    return DocumentVersion(
        version_id=row.version_id,
        document_id=row.document_id,
        content_hash=row.content_hash,
        filename=row.filename,
        mime=row.mime,
        size=row.size,
        parser_params=row.parser_params,
        params=row.params,
        input_refs=row.input_refs,
        artifact_uri=row.artifact_uri,
        producer_type=row.producer_type,
        producer_version=row.producer_version,
        status=row.status,
        is_active=row.is_active,
        is_deleted=row.is_deleted,
        created_at=row.created_at,
    )
