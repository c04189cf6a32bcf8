"""What became of many files as a message."""

from __future__ import annotations

from collections.abc import Iterable

from shoal.rag.v1 import pipeline_service_pb2 as pb

from shoald.application.bulk_ingesting import IngestedFile, SmallFile
from shoald.application.documents import FileInfo
from shoald.transport.uploads import UploadedFile


def small_files(uploaded: Iterable[UploadedFile]) -> list[SmallFile]:
    """Return the files of a form as what the use case takes."""
    return [
        SmallFile(
            file=FileInfo(
                filename=one.filename,
                mime=one.mime,
                parser_params={"loader_type": one.loader_type, **one.loader_params},
                source_path=one.source_path,
            ),
            loader_type=one.loader_type,
            loader_params=one.loader_params,
            content=bytes(one.content),
        )
        for one in uploaded
    ]


def to_message(ingested: Iterable[IngestedFile]) -> pb.IngestFilesResponse:
    """Return what became of the files, in their order."""
    return pb.IngestFilesResponse(
        files=[
            pb.IngestedFile(
                filename=one.filename,
                document_id=one.document_id,
                document_version_id=one.document_version_id,
                segment_set_version_id=one.segment_set_version_id,
                error_code=one.error_code,
                error_message=one.error_message,
            )
            for one in ingested
        ]
    )
