"""The connection of asyncio: the same words as `shoal.client.connection`, to await."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from google.protobuf.message import Message
from shoal.client import jobs
from shoal.client.channels import AsyncChannel
from shoal.client.columns import AsyncColumns, arrow_parts
from shoal.client.errors import Unavailable
from shoal.client.files import Arriving, Source, Upload, import_messages, token_of
from shoal.client.jobs import Progress
from shoal.client.paging import RequestT, next_request
from shoal.client.settings import Settings
from shoal.services import AsyncClusters, AsyncRag

if TYPE_CHECKING:
    from grpc import aio
    from shoal.clusters.v1.artifact_service_pb2 import StreamMembersRequest
    from shoal.clusters.v1.collection_document_service_pb2 import ImportDocumentsResponse
    from shoal.clusters.v1.task_pb2 import Task
    from shoal.rag.v1.document_service_pb2 import UploadDocumentResponse
    from shoal.rag.v1.job_pb2 import Job
    from shoal.rag.v1.job_service_pb2 import WatchJobResponse
    from shoal.rag.v1.retrieval_pb2 import RetrievedDocument
    from shoal.rag.v1.retrieval_service_pb2 import RetrieveRequest, RetrieveResponse

ResponseT = TypeVar("ResponseT", bound=Message)


class AsyncConnection:
    """One channel to a Shoal for one event loop. Close it, or use it in an `async with` block."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.channel: aio.Channel = AsyncChannel(settings)
        self.rag = AsyncRag(self.channel)
        self.clusters = AsyncClusters(self.channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Close the channel; calls under way get `grace` seconds."""
        await self.channel.close(grace)

    async def pages(
        self, method: aio.UnaryUnaryMultiCallable[RequestT, ResponseT], request: RequestT
    ) -> AsyncIterator[ResponseT]:
        """Yield the pages of a list call, `request.limit` rows each, as they are asked for."""
        following: RequestT | None = request
        while following is not None:
            call = method(following)
            answer = await call
            yield answer
            following = next_request(following, answer, await call.initial_metadata() or ())

    async def retrieve_pages(self, request: RetrieveRequest) -> AsyncIterator[RetrieveResponse]:
        """Yield the pages of a retrieval from one stream; the search is made once."""
        from shoal.rag.v1.retrieval_service_pb2 import RetrieveStreamRequest

        async for page in self.rag.retrieval.RetrieveStream(RetrieveStreamRequest(retrieve=request)):
            yield page

    async def hits(self, request: RetrieveRequest) -> AsyncIterator[RetrievedDocument]:
        """Yield the hits of a retrieval, best first, over all its pages."""
        async for page in self.retrieve_pages(request):
            for hit in page.items:
                yield hit

    async def upload(
        self,
        project_id: str,
        source: Source,
        *,
        filename: str | None = None,
        mime: str | None = None,
        parser_params: Mapping[str, Any] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline of a call, which the server is told
    ) -> UploadDocumentResponse:
        """Upload a file, part by part, into a project. Bytes and nameless files need a `filename`."""
        upload = Upload(project_id, source, filename, mime, parser_params)
        return await self.rag.document.ImportDocument(upload.messages(), timeout=timeout)

    async def import_documents(
        self,
        data: Any,
        collection_id: str | None = None,
        *,
        replace: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109 - the deadline of a call, which the server is told
    ) -> ImportDocumentsResponse:
        """Store documents with vectors, as `Connection.import_documents` does."""
        from shoal.clusters.v1.collection_document_service_pb2 import ImportInfo

        info = ImportInfo(collection_id=collection_id, replace=replace)
        messages = import_messages(info, arrow_parts(data))
        return await self.clusters.collection_document.ImportDocuments(messages, timeout=timeout)

    def members(self, cluster_id: str, run_id: str | None = None) -> AsyncColumns:
        """Stream the members of a run in columns; no run means the latest completed one."""
        from shoal.clusters.v1.artifact_service_pb2 import StreamMembersRequest

        return AsyncColumns(self._member_messages(StreamMembersRequest(cluster_id=cluster_id, run_id=run_id)))

    async def _member_messages(self, request: StreamMembersRequest) -> AsyncIterator[bytes]:
        async for message in self.clusters.artifact.StreamMembers(request):
            yield message.arrow

    async def export_parquet(self, cluster_id: str, place: Path | str, run_id: str | None = None) -> Path:
        """Download a run as a Parquet file and return where it lies, as `Connection.export_parquet` does."""
        from shoal.clusters.v1.artifact_service_pb2 import DownloadFileRequest, GetExportLinkRequest

        artifacts = self.clusters.artifact
        link = await artifacts.GetExportLink(GetExportLinkRequest(cluster_id=cluster_id, run_id=run_id))
        with Arriving(link, Path(place)) as file:
            async for part in artifacts.DownloadFile(DownloadFileRequest(token=token_of(link))):
                file.write(part.data)
        return Path(place)

    async def watch_job(self, job_id: str) -> AsyncIterator[Progress]:
        """Yield how far a job is, at each change, until it has ended; a stream that breaks is taken up again."""
        async for seen in self._job_states(job_id):
            yield jobs.progress_of_job(seen)

    async def wait_for_job(self, job_id: str, on_progress: Callable[[Progress], object] | None = None) -> Job:
        """Return a job once it has succeeded; raise `JobFailed` when it has failed."""
        last: Job | None = None
        async for seen in self._job_states(job_id):
            last = seen.job
            if on_progress:
                on_progress(jobs.progress_of_job(seen))
        assert last is not None
        return jobs.raise_for_job(last)

    async def _job_states(self, job_id: str) -> AsyncIterator[WatchJobResponse]:
        from shoal.rag.v1.job_service_pb2 import WatchJobRequest

        request, failures = WatchJobRequest(job_id=job_id), 0
        while True:
            try:
                async for seen in self.rag.job.WatchJob(request):
                    request.resume_token, failures = seen.resume_token, 0
                    yield seen
                    if jobs.has_job_ended(seen.job):
                        return
            except Unavailable:
                failures += 1
                if failures == jobs.MOST_FAILURES:
                    raise
                await asyncio.sleep(0.1 * 2**failures)

    async def watch_task(self, task_id: str) -> AsyncIterator[Progress]:
        """Yield how far a task is, at each change, until it has ended. It is asked for, at least every two seconds."""
        shown: Progress | None = None
        async for task in self._task_states(task_id):
            now = jobs.progress_of_task(task)
            if now != shown:
                yield now
            shown = now

    async def wait_for_task(self, task_id: str, on_progress: Callable[[Progress], object] | None = None) -> Task:
        """Return a task once it has completed; raise `JobFailed` when it has not."""
        async for task in self._task_states(task_id):
            if on_progress:
                on_progress(jobs.progress_of_task(task))
            if jobs.has_task_ended(task):
                return jobs.raise_for_task(task)
        raise AssertionError("a task is looked at until it has ended")

    async def _task_states(self, task_id: str) -> AsyncIterator[Task]:
        from shoal.clusters.v1.task_service_pb2 import GetTaskRequest

        for pause in jobs.pauses():
            task = await self.clusters.task.GetTask(GetTaskRequest(task_id=task_id))
            yield task
            if jobs.has_task_ended(task):
                return
            await asyncio.sleep(pause)


def connect_async(  # noqa: PLR0913 - each is a setting of its own
    url: str = "http://127.0.0.1:8000",
    *,
    key: str | None = None,
    namespace: str | None = None,
    deadline: float | None = 60.0,
    job_deadline: float | None = 3600.0,
    root_certificates: bytes | None = None,
    options: Sequence[tuple[str, str | int]] = (),
) -> AsyncConnection:
    """Connect as `connect` does, for asyncio; call it where the event loop runs."""
    return AsyncConnection(
        Settings(
            url=url,
            key=key,
            namespace=namespace,
            deadline=deadline,
            job_deadline=job_deadline,
            root_certificates=root_certificates,
            options=options,
        )
    )
