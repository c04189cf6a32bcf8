"""Exports of collections: requests as questions, and the files that answer them as messages."""

from __future__ import annotations

from shoal.clusters.v1 import collection_service_pb2 as pb

from shoald.application.collection_exports import CollectionExport, ExportQuestion
from shoald.domain.failures import InvalidFields
from shoald.domain.platform_words import CollectionFormat
from shoald.transport.json_values import plain_object
from shoald.transport.mapping.clusters.times import to_timestamp

_REFUSED = {
    "include_lineage": "is not written: lists of segment sets, chunk sets and builds tell where documents come from",
    "include_media": "is of webdataset, which is not written: documents hold no media",
    "destination": "cannot be set: files are written into the server's own store",
}


def question_of(request: pb.ExportCollectionRequest) -> ExportQuestion:
    """Return what is asked for; raises `InvalidFields` for what is documented and cannot be given."""
    for name, message in _REFUSED.items():
        if getattr(request, name):
            raise InvalidFields.field("body", name, message=message, value=_shown(request, name))
    return ExportQuestion(
        format=request.format or CollectionFormat.PARQUET.value,
        fields=tuple(request.select_fields),
        filters=plain_object(request.filters) if request.HasField("filters") else None,
        most=request.sample_size or None,
        include_vectors=request.include_vectors,
    )


def _shown(request: pb.ExportCollectionRequest, name: str) -> object:
    return plain_object(request.destination) if name == "destination" else True


def to_message(export: CollectionExport) -> pb.ExportCollectionResponse:
    """Return where the files are."""
    message = pb.ExportCollectionResponse(
        download_url=export.documents.url,
        s3_path=export.documents.uri,
        format=export.format,
        document_count=export.document_count,
        file_size_bytes=export.documents.size,
        exported_at=to_timestamp(export.exported_at),
    )
    if export.vectors is not None:
        message.vectors_download_url, message.vectors_s3_path = export.vectors.url, export.vectors.uri
    return message
