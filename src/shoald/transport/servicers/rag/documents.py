"""Documents over gRPC: both forms of upload, and reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import grpc
from shoal.rag.v1 import document_pb2, document_service_pb2_grpc
from shoal.rag.v1 import document_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.documents import Documents
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.transport.callers import caller_of
from shoald.transport.mapping.rag import documents as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range
from shoald.transport.uploads import DOCUMENT_FIELDS, FormReader


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
        if first.WhichOneof("content") != "info":
            raise InvalidFields([FieldProblem(("body", "info"), "missing", "Field required in the first message")])
        caller = caller_of(self._access, context)
        with self._documents.upload(caller, first.info.project_id) as upload:
            for request in requests:
                if request.WhichOneof("content") == "info":
                    raise InvalidFields.field("body", "info", message="Value error, only the first message has it")
                upload.write(request.data)
            return mapping.upload_message(upload.finish(mapping.file_info_of(first.info)))

    def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.ListDocumentsResponse:
        """List those of a project."""
        listed = self._documents.list(caller_of(self._access, context), request.project_id, list_range(request))
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


def _file_pieces(first: pb.UploadDocumentRequest, rest: Iterator[pb.UploadDocumentRequest]) -> Iterator[bytes]:
    yield first.file.data
    for request in rest:
        yield request.file.data
