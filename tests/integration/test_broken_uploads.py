"""An upload whose caller breaks it off is never taken for the whole file."""

# mypy: disable-error-code="abstract"

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

import grpc
import pytest
from shoal.rag.v1 import document_pb2, document_service_pb2, document_service_pb2_grpc

from shoald.transport.server import Addresses, Servers
from support.edge_stack import LIMITS
from support.open_access import OPEN_ACCESS

pytestmark = pytest.mark.integration
UPLOADS = 150


class Documents(document_service_pb2_grpc.DocumentServiceServicer):
    """Keeps the sizes of the uploads that it has read to their end."""

    def __init__(self) -> None:
        self.whole: list[int] = []

    def ImportDocument(  # noqa: N802 - gRPC's name
        self, request_iterator: Iterable[document_service_pb2.ImportDocumentRequest], _context: grpc.ServicerContext
    ) -> document_service_pb2.UploadDocumentResponse:
        self.whole.append(sum(len(request.data) for request in request_iterator))
        return document_service_pb2.UploadDocumentResponse(document=document_pb2.Document(filename="a"))


def parts(*, breaks: bool) -> Iterator[document_service_pb2.ImportDocumentRequest]:
    info = document_service_pb2.DocumentInfo(project_id="p", filename="a")
    yield document_service_pb2.ImportDocumentRequest(info=info)
    yield document_service_pb2.ImportDocumentRequest(data=b"half")
    if breaks:
        raise OSError("the disk is gone")
    yield document_service_pb2.ImportDocumentRequest(data=b" and half")


def test_what_a_caller_broke_off_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "grpc._channel")  # gRPC tells of each break
    documents = Documents()

    def add(server: grpc.Server) -> list[str]:
        document_service_pb2_grpc.add_DocumentServiceServicer_to_server(documents, server)
        return ["shoal.rag.v1.DocumentService"]

    servers = Servers(add, LIMITS, OPEN_ACCESS)
    taken = servers.start(Addresses(unary="127.0.0.1:0", streams="127.0.0.1:0"))
    try:
        with grpc.insecure_channel(taken.streams) as channel:
            stub = document_service_pb2_grpc.DocumentServiceStub(channel)
            for _ in range(UPLOADS):
                with pytest.raises(grpc.RpcError):
                    stub.ImportDocument(parts(breaks=True))
            assert stub.ImportDocument(parts(breaks=False)).document.filename == "a"
    finally:
        servers.drain(notice=0, grace=1)
    assert documents.whole == [13]
