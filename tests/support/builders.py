"""Records for tests: everything has a default, so that a test names only what it is about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from shoald.domain.identifiers import new_uuid
from shoald.domain.records.document import Document, DocumentVersion
from shoald.domain.records.project import Project
from shoald.domain.records.segment_set import SegmentSet, SetItem

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def make_project(**changes: Any) -> Project:
    fields: dict[str, Any] = {
        "project_id": new_uuid(),
        "namespace_id": "ns_default",
        "name": "Docs",
        "description": None,
        "settings": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Project(**fields | changes)


def make_document(project: Project, **changes: Any) -> tuple[Document, DocumentVersion]:
    document = Document(
        document_id=new_uuid(),
        project_id=project.project_id,
        filename=changes.pop("filename", "notes.json"),
        mime="application/json",
        storage_uri="shoal://objects/blobs/ab/cd",
        metadata={"size": 2},
        is_deleted=False,
        created_at=NOW,
        updated_at=NOW,
    )
    fields: dict[str, Any] = {
        "version_id": new_uuid(),
        "document_id": document.document_id,
        "content_hash": "0" * 64,
        "filename": document.filename,
        "mime": document.mime,
        "size": 2,
        "parser_params": {},
        "params": {"source": "upload"},
        "input_refs": {},
        "artifact_uri": document.storage_uri,
        "producer_type": "rag_api",
        "producer_version": "0",
        "status": "succeeded",
        "is_active": True,
        "is_deleted": False,
        "created_at": NOW,
    }
    return document, DocumentVersion(**fields | changes)


def make_segment_set(version: DocumentVersion, project_id: str, **changes: Any) -> SegmentSet:
    fields: dict[str, Any] = {
        "segment_set_version_id": new_uuid(),
        "project_id": project_id,
        "document_version_id": version.version_id,
        "parent_segment_set_version_id": None,
        "params": {},
        "input_refs": {},
        "artifact_uri": None,
        "producer_type": "rag_lib",
        "producer_version": "0",
        "is_active": False,
        "is_deleted": False,
        "created_at": NOW,
        "total_items": 0,
        "total_characters": 0,
    }
    return SegmentSet(**fields | changes)


def make_item(position: int, content: str, **changes: Any) -> SetItem:
    fields: dict[str, Any] = {
        "item_id": new_uuid(),
        "position": position,
        "content": content,
        "metadata": {},
        "parent_id": None,
        "level": 0,
        "path": (),
        "type": "text",
        "original_format": "text",
    }
    return SetItem(**fields | changes)
