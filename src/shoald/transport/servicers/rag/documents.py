"""Documents over gRPC: both forms of upload, and reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import grpc
from google.api.httpbody_pb2 import HttpBody
from shoal.rag.v1 import document_pb2, document_service_pb2_grpc
from shoal.rag.v1 import document_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.documents import Documents, Upload
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.records.document import Document, DocumentVersion
from shoald.transport import downloads
from shoald.transport.callers import caller_of
from shoald.transport.mapping.rag import documents as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range
from shoald.transport.uploads import DOCUMENT_FIELDS, FormReader

FirstImport = pb.ImportDocumentRequest | pb.ImportDocumentVersionRequest
FormPiece = pb.UploadDocumentRequest | pb.UploadDocumentVersionRequest


class DocumentServicer(document_service_pb2_grpc.DocumentServiceServicer):
    """Hands requests to `Documents`."""

    def __init__(self, access: Access, documents: Documents) -> None:
        self._access = access
        self._documents = documents

    def UploadDocument(
        self, request_iterator: Iterable[pb.UploadDocumentRequest], context: grpc.ServicerContext
    ) -> pb.UploadDocumentResponse:
        """Read a multipart body as it comes."""
        requests = iter(request_iterator)
        first = next(requests, pb.UploadDocumentRequest())
        caller = caller_of(self._access, context)
        with self._documents.upload(caller, first.project_id) as upload:
            form = FormReader(first.file.content_type, upload.write, DOCUMENT_FIELDS)
            info = form.read(_file_pieces(first, requests)).document()
            return mapping.upload_message(upload.finish(info))

    def ImportDocument(
        self, request_iterator: Iterable[pb.ImportDocumentRequest], context: grpc.ServicerContext
    ) -> pb.UploadDocumentResponse:
        """Read a description, then bytes."""
        requests = iter(request_iterator)
        first = next(requests, pb.ImportDocumentRequest())
        info = _first_info(first)
        with self._documents.upload(caller_of(self._access, context), info.project_id) as upload:
            return mapping.upload_message(_import(upload, info, requests))

    def UploadDocumentVersion(
        self, request_iterator: Iterable[pb.UploadDocumentVersionRequest], context: grpc.ServicerContext
    ) -> pb.UploadDocumentResponse:
        """Read a multipart body as it comes."""
        requests = iter(request_iterator)
        first = next(requests, pb.UploadDocumentVersionRequest())
        caller = caller_of(self._access, context)
        with self._documents.upload_version(caller, first.document_id) as upload:
            form = FormReader(first.file.content_type, upload.write, DOCUMENT_FIELDS)
            info = form.read(_file_pieces(first, requests)).document()
            return mapping.upload_message(upload.finish(info))

    def ImportDocumentVersion(
        self, request_iterator: Iterable[pb.ImportDocumentVersionRequest], context: grpc.ServicerContext
    ) -> pb.UploadDocumentResponse:
        """Read a description, then bytes."""
        requests = iter(request_iterator)
        first = next(requests, pb.ImportDocumentVersionRequest())
        info = _first_info(first)
        with self._documents.upload_version(caller_of(self._access, context), info.document_id) as upload:
            return mapping.upload_message(_import(upload, info, requests))

    def DownloadDocumentVersion(
        self, request: pb.DownloadDocumentVersionRequest, context: grpc.ServicerContext
    ) -> Iterator[HttpBody]:
        """Send the bytes of one, those of a range, or none when the caller has them."""
        content = self._documents.content(caller_of(self._access, context), request.version_id)
        version = content.version
        file = downloads.Download(
            etag=version.content_hash,
            size=version.size,
            mime=version.mime,
            filename=version.filename,
            parts=content.parts,
        )
        return downloads.send(context, file)

    def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.ListDocumentsResponse:
        """List those of a project."""
        content_hash = request.content_hash if request.HasField("content_hash") else None
        listed = self._documents.list(
            caller_of(self._access, context), request.project_id, list_range(request), content_hash=content_hash
        )
        announce_next(listed)
        return pb.ListDocumentsResponse(documents=map(mapping.to_message, listed.rows))

    def GetDocument(self, request: pb.GetDocumentRequest, context: grpc.ServicerContext) -> document_pb2.Document:
        """Get one."""
        return mapping.to_message(self._documents.get(caller_of(self._access, context), request.document_id))

    def ListDocumentVersions(
        self, request: pb.ListDocumentVersionsRequest, context: grpc.ServicerContext
    ) -> pb.ListDocumentVersionsResponse:
        """List those of a document."""
        listed = self._documents.list_versions(
            caller_of(self._access, context), request.document_id, list_range(request)
        )
        announce_next(listed)
        return pb.ListDocumentVersionsResponse(versions=map(mapping.version_message, listed.rows))

    def FindContents(self, request: pb.FindContentsRequest, context: grpc.ServicerContext) -> pb.FindContentsResponse:
        """Find documents by their bytes."""
        found = self._documents.find_contents(
            caller_of(self._access, context), request.project_id, request.content_hashes
        )
        return pb.FindContentsResponse(contents=map(mapping.content_message, found))


def _first_info(first: FirstImport) -> Any:
    if first.WhichOneof("content") != "info":
        raise InvalidFields([FieldProblem(("body", "info"), "missing", "Field required in the first message")])
    return first.info


def _import(upload: Upload, info: Any, rest: Iterable[Any]) -> tuple[Document, DocumentVersion]:
    for request in rest:
        if request.WhichOneof("content") == "info":
            raise InvalidFields.field("body", "info", message="Value error, only the first message has it")
        upload.write(request.data)
    return upload.finish(mapping.file_info_of(info))


def _file_pieces(first: FormPiece, rest: Iterable[FormPiece]) -> Iterator[bytes]:
    yield first.file.data
    for request in rest:
        yield request.file.data
