"""The connection that waits: stubs of every service, and the calls that take more than one step."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from google.protobuf.message import Message
from shoal.client import jobs
from shoal.client.channels import Channel
from shoal.client.columns import Columns, arrow_parts
from shoal.client.errors import Unavailable
from shoal.client.files import Arriving, Source, Upload, import_messages, token_of
from shoal.client.jobs import Progress
from shoal.client.paging import RequestT, next_request
from shoal.client.settings import Settings
from shoal.services import Clusters, Rag

if TYPE_CHECKING:
    import grpc
    from shoal.clusters.v1.collection_document_service_pb2 import ImportDocumentsResponse
    from shoal.clusters.v1.task_pb2 import Task
    from shoal.rag.v1.document_service_pb2 import UploadDocumentResponse
    from shoal.rag.v1.job_pb2 import Job
    from shoal.rag.v1.job_service_pb2 import WatchJobResponse
    from shoal.rag.v1.retrieval_pb2 import RetrievedDocument
    from shoal.rag.v1.retrieval_service_pb2 import RetrieveRequest, RetrieveResponse

ResponseT = TypeVar("ResponseT", bound=Message)


class Connection:
    """One channel to a Shoal, for any number of threads. Close it, or use it in a `with` block.

    `rag` and `clusters` have a stub of every service; `channel` serves for stubs of other services.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.channel: grpc.Channel = Channel(settings)
        self.rag = Rag(self.channel)
        self.clusters = Clusters(self.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the channel; calls under way end as canceled."""
        self.channel.close()

    def pages(
        self, method: grpc.UnaryUnaryMultiCallable[RequestT, ResponseT], request: RequestT
    ) -> Iterator[ResponseT]:
        """Yield the pages of a list call, `request.limit` rows each, as they are asked for."""
        following: RequestT | None = request
        while following is not None:
            answer, call = method.with_call(following)
            yield answer
            following = next_request(following, answer, call.initial_metadata() or ())

    def retrieve_pages(self, request: RetrieveRequest) -> Iterator[RetrieveResponse]:
        """Yield the pages of a retrieval from one stream; the search is made once."""
        from shoal.rag.v1.retrieval_service_pb2 import RetrieveStreamRequest

        yield from self.rag.retrieval.RetrieveStream(RetrieveStreamRequest(retrieve=request))

    def hits(self, request: RetrieveRequest) -> Iterator[RetrievedDocument]:
        """Yield the hits of a retrieval, best first, over all its pages."""
        for page in self.retrieve_pages(request):
            yield from page.items

    def upload(
        self,
        project_id: str,
        source: Source,
        *,
        filename: str | None = None,
        mime: str | None = None,
        parser_params: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> UploadDocumentResponse:
        """Upload a file, part by part, into a project. Bytes and nameless files need a `filename`."""
        upload = Upload(project_id, source, filename, mime, parser_params)
        return self.rag.document.ImportDocument(upload.messages(), timeout=timeout)

    def import_documents(
        self, data: Any, collection_id: str | None = None, *, replace: bool = False, timeout: float | None = None
    ) -> ImportDocumentsResponse:
        """Store documents with vectors; all of them or none, in constant memory.

        `data` is a table with the column `document_id`, one column of lists for each named vector, and payload: of
        pyarrow, pandas or Polars, or `vectors_table(ids, array)`. A new name in `collection_id` makes a collection.
        """
        from shoal.clusters.v1.collection_document_service_pb2 import ImportInfo

        info = ImportInfo(collection_id=collection_id, replace=replace)
        messages = import_messages(info, arrow_parts(data))
        return self.clusters.collection_document.ImportDocuments(messages, timeout=timeout)

    def members(self, cluster_id: str, run_id: str | None = None) -> Columns:
        """Stream the members of a run in columns; no run means the latest completed one."""
        from shoal.clusters.v1.artifact_service_pb2 import StreamMembersRequest

        request = StreamMembersRequest(cluster_id=cluster_id, run_id=run_id)
        return Columns(message.arrow for message in self.clusters.artifact.StreamMembers(request))

    def export_parquet(self, cluster_id: str, place: Path | str, run_id: str | None = None) -> Path:
        """Download a run as a Parquet file and return where it lies, its hash compared with the one announced.

        Raises `HashMismatch`, and ValueError with the address where the file is held by a store of its own.
        """
        from shoal.clusters.v1.artifact_service_pb2 import DownloadFileRequest, GetExportLinkRequest

        artifacts = self.clusters.artifact
        link = artifacts.GetExportLink(GetExportLinkRequest(cluster_id=cluster_id, run_id=run_id))
        with Arriving(link, Path(place)) as file:
            for part in artifacts.DownloadFile(DownloadFileRequest(token=token_of(link))):
                file.write(part.data)
        return Path(place)

    def watch_job(self, job_id: str) -> Iterator[Progress]:
        """Yield how far a job is, at each change, until it has ended; a stream that breaks is taken up again."""
        for seen in self._job_states(job_id):
            yield jobs.progress_of_job(seen)

    def wait_for_job(self, job_id: str, on_progress: Callable[[Progress], object] | None = None) -> Job:
        """Return a job once it has succeeded; raise `JobFailed` when it has failed."""
        last: Job | None = None
        for seen in self._job_states(job_id):
            last = seen.job
            if on_progress:
                on_progress(jobs.progress_of_job(seen))
        assert last is not None
        return jobs.raise_for_job(last)

    def _job_states(self, job_id: str) -> Iterator[WatchJobResponse]:
        from shoal.rag.v1.job_service_pb2 import WatchJobRequest

        request, failures = WatchJobRequest(job_id=job_id), 0
        while True:
            try:
                for seen in self.rag.job.WatchJob(request):
                    request.resume_token, failures = seen.resume_token, 0
                    yield seen
                    if jobs.has_job_ended(seen.job):
                        return
            except Unavailable:
                failures += 1
                if failures == jobs.MOST_FAILURES:
                    raise
                time.sleep(0.1 * 2**failures)

    def watch_task(self, task_id: str) -> Iterator[Progress]:
        """Yield how far a task is, at each change, until it has ended. It is asked for, at least every two seconds."""
        shown: Progress | None = None
        for task in self._task_states(task_id):
            now = jobs.progress_of_task(task)
            if now != shown:
                yield now
            shown = now

    def wait_for_task(self, task_id: str, on_progress: Callable[[Progress], object] | None = None) -> Task:
        """Return a task once it has completed; raise `JobFailed` when it has not."""
        for task in self._task_states(task_id):
            if on_progress:
                on_progress(jobs.progress_of_task(task))
            if jobs.has_task_ended(task):
                return jobs.raise_for_task(task)
        raise AssertionError("a task is looked at until it has ended")

    def _task_states(self, task_id: str) -> Iterator[Task]:
        from shoal.clusters.v1.task_service_pb2 import GetTaskRequest

        for pause in jobs.pauses():
            task = self.clusters.task.GetTask(GetTaskRequest(task_id=task_id))
            yield task
            if jobs.has_task_ended(task):
                return
            time.sleep(pause)


def connect(  # noqa: PLR0913 - each is a setting of its own
    url: str = "http://127.0.0.1:8000",
    *,
    key: str | None = None,
    namespace: str | None = None,
    deadline: float | None = 60.0,
    job_deadline: float | None = 3600.0,
    root_certificates: bytes | None = None,
    options: Sequence[tuple[str, str | int]] = (),
) -> Connection:
    """Connect to a Shoal by its `http://` or `https://` address; nothing is sent before the first call.

    `Settings` says what the words mean. A channel may be used by any number of threads, and not across a fork.
    """
    return Connection(
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
