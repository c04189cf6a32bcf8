"""Pipelines over gRPC: a multipart body as it comes, or a description and then bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import grpc
from shoal.rag.v1 import pipeline_pb2, pipeline_service_pb2_grpc
from shoal.rag.v1 import pipeline_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.bulk_ingesting import BulkIngesting
from shoald.application.pipelines import NewPipeline, Pipelines
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.transport.callers import caller_of, patience_of
from shoald.transport.mapping.rag import ingested_files
from shoald.transport.mapping.rag import pipelines as mapping
from shoald.transport.uploads import FilesReader, FormReader

_MOST_FILES = 100
_MOST_BYTES = 16 * 1024 * 1024


class PipelineServicer(pipeline_service_pb2_grpc.PipelineServiceServicer):
    """Hands requests to `Pipelines` and `BulkIngesting`."""

    def __init__(self, access: Access, pipelines: Pipelines, bulk_ingesting: BulkIngesting) -> None:
        self._access = access
        self._pipelines = pipelines
        self._bulk_ingesting = bulk_ingesting

    def RunPipelineFile(
        self, request_iterator: Iterable[pb.RunPipelineFileRequest], context: grpc.ServicerContext
    ) -> pipeline_pb2.Pipeline:
        """Read a multipart body as it comes."""
        requests = iter(request_iterator)
        first = next(requests, pb.RunPipelineFileRequest())

        def read(write: Callable[[bytes], None]) -> NewPipeline:
            form = FormReader(first.file.content_type, write, mapping.FORM_FIELDS)
            return mapping.pipeline_of_form(form.read(_file_pieces(first, requests)))

        return self._run(first.project_id, read, context)

    def RunPipeline(
        self, request_iterator: Iterable[pb.RunPipelineRequest], context: grpc.ServicerContext
    ) -> pipeline_pb2.Pipeline:
        """Read a description, then bytes."""
        requests = iter(request_iterator)
        first = next(requests, pb.RunPipelineRequest())
        if first.WhichOneof("content") != "info":
            raise InvalidFields([FieldProblem(("body", "info"), "missing", "Field required in the first message")])

        def read(write: Callable[[bytes], None]) -> NewPipeline:
            new = mapping.pipeline_of_info(first.info)
            for request in requests:
                if request.WhichOneof("content") == "info":
                    raise InvalidFields.field("body", "info", message="Value error, only the first message has it")
                write(request.data)
            return new

        return self._run(first.info.project_id, read, context)

    def IngestFiles(
        self, request_iterator: Iterable[pb.IngestFilesRequest], context: grpc.ServicerContext
    ) -> pb.IngestFilesResponse:
        """Read a form with many small files."""
        requests = iter(request_iterator)
        first = next(requests, pb.IngestFilesRequest())
        caller = caller_of(self._access, context)
        reader = FilesReader(first.file.content_type, most_files=_MOST_FILES, most_bytes=_MOST_BYTES)
        files = ingested_files.small_files(reader.read_files(_file_pieces(first, requests)))
        ingested = self._bulk_ingesting.ingest(caller, first.project_id, files, patience_of(context))
        return ingested_files.to_message(ingested)

    def _run(
        self,
        project_id: str,
        read: Callable[[Callable[[bytes], None]], NewPipeline],
        context: grpc.ServicerContext,
    ) -> pipeline_pb2.Pipeline:
        caller = caller_of(self._access, context)
        return mapping.to_message(self._pipelines.run(caller, project_id, read, patience_of(context)))


def _file_pieces(
    first: pb.RunPipelineFileRequest | pb.IngestFilesRequest,
    rest: Iterator[pb.RunPipelineFileRequest] | Iterator[pb.IngestFilesRequest],
) -> Iterator[bytes]:
    yield first.file.data
    for request in rest:
        yield request.file.data
