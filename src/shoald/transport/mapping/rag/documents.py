"""Documents and their versions as messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.api.httpbody_pb2 import HttpBody
from shoal.rag.v1 import document_pb2, document_service_pb2

from shoald.application.documents import FileInfo
from shoald.domain.records.document import Document, DocumentVersion, StoredContent
from shoald.transport.mapping.rag.fields import object_of, to_object, to_timestamp


def to_message(document: Document) -> document_pb2.Document:
    """Return a document as it is shown."""
    return document_pb2.Document(
        document_id=document.document_id,
        project_id=document.project_id,
        filename=document.filename,
        mime=document.mime,
        storage_uri=document.storage_uri,
        metadata=to_object(document.metadata),
        is_deleted=document.is_deleted,
        created_at=to_timestamp(document.created_at),
        updated_at=to_timestamp(document.updated_at),
    )


def version_message(version: DocumentVersion) -> document_pb2.DocumentVersion:
    """Return a version as it is shown."""
    return document_pb2.DocumentVersion(
        version_id=version.version_id,
        document_id=version.document_id,
        content_hash=version.content_hash,
        parser_params=to_object(version.parser_params),
        params=to_object(version.params),
        input_refs=to_object(version.input_refs),
        artifact_uri=version.artifact_uri,
        producer_type=version.producer_type,
        producer_version=version.producer_version,
        status=version.status,
        is_active=version.is_active,
        is_deleted=version.is_deleted,
        created_at=to_timestamp(version.created_at),
    )


def upload_message(stored: tuple[Document, DocumentVersion]) -> document_service_pb2.UploadDocumentResponse:
    """Return what an upload made."""
    document, version = stored
    return document_service_pb2.UploadDocumentResponse(
        document=to_message(document), document_version=version_message(version)
    )


def file_parts(parts: Iterable[bytes], mime: str) -> Iterator[HttpBody]:
    """Yield a file's bytes, at least one part; the first says what they are."""
    yield HttpBody(content_type=mime, data=next(parts := iter(parts), b""))
    for part in parts:
        yield HttpBody(data=part)


def file_info_of(info: document_service_pb2.DocumentInfo | document_service_pb2.DocumentVersionInfo) -> FileInfo:
    """Return what a typed client says of its file."""
    return FileInfo(
        filename=info.filename,
        mime=info.mime if info.HasField("mime") else None,
        parser_params=object_of(info.parser_params, "info", "parser_params"),
        source_path=info.source_path or None,
        sha256=info.sha256 or None,
    )


def content_message(found: StoredContent) -> document_service_pb2.StoredContent:
    """Return a document that was found by its bytes."""
    return document_service_pb2.StoredContent(
        content_hash=found.content_hash,
        document_id=found.document_id,
        filename=found.filename,
        document_version_id=found.document_version_id,
        segment_set_version_id=found.segment_set_version_id,
        loader_type=found.loader_type,
    )
