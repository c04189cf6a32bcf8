"""A document and its versions: what was uploaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One uploaded file; `filename` is for display only and is never part of a storage key.

    `metadata` has the `size` in bytes and, where an upload named one, the `source_path` that the file came from.
    """

    document_id: str
    project_id: str
    filename: str
    mime: str
    storage_uri: str
    metadata: JsonObject
    is_deleted: bool
    created_at: datetime
    updated_at: datetime

    def origin(self, version_id: str) -> JsonObject:
        """Return what passages of one of its versions say of where they came from."""
        ids = {"document_id": self.document_id, "document_version_id": version_id, "filename": self.filename}
        path = self.metadata.get("source_path")
        return ids if path is None else {**ids, "source_path": path}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVersion:
    """One state of a document's bytes; `content_hash` is their SHA-256 in lower-case hex, `artifact_uri` where they
    lie, `size` how many they are. `filename` and `mime` are those of its own upload.
    """

    version_id: str
    document_id: str
    content_hash: str
    filename: str
    mime: str
    size: int
    parser_params: JsonObject
    params: JsonObject
    input_refs: JsonObject
    artifact_uri: str | None
    producer_type: str
    producer_version: str
    status: str
    is_active: bool
    is_deleted: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContent:
    """A document that has certain bytes, and its active segment set, if there is one, with the loader that made it."""

    content_hash: str
    document_id: str
    filename: str
    document_version_id: str
    segment_set_version_id: str | None
    loader_type: str | None
