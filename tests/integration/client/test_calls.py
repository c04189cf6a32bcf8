"""Calls of the Python client against a server of a few lines: what they carry, and how they fail and go on."""

# mypy: disable-error-code="abstract"

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from shoal.client import (
    Connection,
    DeadlineExceeded,
    InvalidRequest,
    JobFailed,
    NotFound,
    Progress,
    Unavailable,
    connect,
    connect_async,
)
from shoal.rag.v1 import (
    chunk_set_pb2,
    chunk_set_service_pb2,
    chunk_set_service_pb2_grpc,
    job_pb2,
    job_service_pb2,
    job_service_pb2_grpc,
    project_pb2,
    project_service_pb2,
    project_service_pb2_grpc,
)

from shoald.domain import failures
from shoald.transport.error_bodies import status_of

pytestmark = pytest.mark.integration


def fail(context: grpc.ServicerContext, failure: failures.Failure, code: grpc.StatusCode) -> None:
    context.set_trailing_metadata((("grpc-status-details-bin", status_of(failure).SerializeToString()),))
    context.abort(code, failure.message)


@dataclass
class Server:
    """What the servicers saw, and what they were told to do."""

    address: str = ""
    outages: int = 0
    calls: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    remaining: float = 0.0
    watches: list[Callable[[Any], Iterator[job_service_pb2.WatchJobResponse]]] = field(default_factory=list)

    def note(self, name: str, context: grpc.ServicerContext) -> None:
        self.calls.append(name)
        self.metadata, self.remaining = dict(context.invocation_metadata()), context.time_remaining() or 0.0
        if self.outages:
            self.outages -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "away")


class Projects(project_service_pb2_grpc.ProjectServiceServicer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def CreateProject(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.server.note("CreateProject", context)
        problem = failures.FieldProblem(("body", "name"), "missing", "Field required")
        if not request.HasField("name"):
            fail(context, failures.InvalidFields([problem]), grpc.StatusCode.INVALID_ARGUMENT)
        return project_pb2.Project(name=request.name)

    def GetProject(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.server.note("GetProject", context)
        if request.project_id == "slow":
            threading.Event().wait(2)
        if request.project_id == "none":
            fail(context, failures.ProjectNotFound(), grpc.StatusCode.NOT_FOUND)
        return project_pb2.Project(project_id=request.project_id)

    def ListProjects(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        start = int(request.cursor or 0)
        if start + request.limit < 5:
            context.send_initial_metadata((("x-next-cursor", str(start + request.limit)),))
        ids = [str(at) for at in range(start, min(start + request.limit, 5))]
        return project_service_pb2.ListProjectsResponse(projects=[project_pb2.Project(project_id=one) for one in ids])


class ChunkSets(chunk_set_service_pb2_grpc.ChunkSetServiceServicer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def CreateChunkSet(self, _request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.server.note("CreateChunkSet", context)
        return chunk_set_pb2.ChunkSet()


class Jobs(job_service_pb2_grpc.JobServiceServicer):
    def __init__(self, server: Server) -> None:
        self.server = server

    def WatchJob(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self.server.calls.append(f"WatchJob {request.resume_token}".strip())
        yield from self.server.watches.pop(0)(context)


def state(status: str, token: str, fraction: float = 0.0, error: str | None = None) -> Any:
    return job_service_pb2.WatchJobResponse(
        job=job_pb2.Job(job_id="j", status=status, error_message=error),
        progress=job_pb2.JobProgress(stage="embed", fraction=fraction),
        resume_token=token,
    )


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server()
    running = grpc.server(futures.ThreadPoolExecutor(4))
    project_service_pb2_grpc.add_ProjectServiceServicer_to_server(Projects(told), running)
    chunk_set_service_pb2_grpc.add_ChunkSetServiceServicer_to_server(ChunkSets(told), running)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(Jobs(told), running)
    told.address = f"http://127.0.0.1:{running.add_insecure_port('127.0.0.1:0')}"
    running.start()
    yield told
    running.stop(None).wait()


@pytest.fixture
def shoal(server: Server) -> Iterator[Connection]:
    with connect(server.address, key="secret", namespace="mine", deadline=30, job_deadline=300) as connection:
        yield connection


def get(shoal: Connection, project_id: str, **more: Any) -> project_pb2.Project:
    return shoal.rag.project.GetProject(project_service_pb2.GetProjectRequest(project_id=project_id), **more)


def test_every_call_carries_key_and_namespace(server: Server, shoal: Connection) -> None:
    get(shoal, "p", metadata=[("x-mine", "1")])
    assert server.metadata["authorization"] == "Bearer secret"
    assert (server.metadata["x-namespace"], server.metadata["x-mine"]) == ("mine", "1")
    assert server.metadata["user-agent"].startswith("shoal-client/")


def test_calls_have_deadlines_by_what_they_wait_for(server: Server, shoal: Connection) -> None:
    get(shoal, "p")
    assert 20 < server.remaining < 32  # the transport rounds up
    get(shoal, "p", timeout=100)
    assert 90 < server.remaining < 102
    shoal.rag.chunk_set.CreateChunkSet(chunk_set_service_pb2.CreateChunkSetRequest(segment_set_id="s"))
    assert 200 < server.remaining < 310


def test_a_deadline_that_passes_is_an_exception_of_its_own(shoal: Connection) -> None:
    with pytest.raises(DeadlineExceeded):
        get(shoal, "slow", timeout=0.1)


def test_reading_calls_are_repeated_and_writing_calls_are_not(server: Server, shoal: Connection) -> None:
    server.outages = 1
    assert get(shoal, "p").project_id == "p"
    assert server.calls == ["GetProject"] * 2
    server.outages = 1
    with pytest.raises(Unavailable, match="away"):
        shoal.rag.project.CreateProject(project_service_pb2.CreateProjectRequest(name="n"))
    assert server.calls[2:] == ["CreateProject"]


def test_failures_are_raised_with_what_the_server_said(shoal: Connection) -> None:
    with pytest.raises(NotFound) as missing:
        get(shoal, "none")
    assert missing.value.reason == "PROJECT_NOT_FOUND"
    with pytest.raises(InvalidRequest) as invalid:
        shoal.rag.project.CreateProject(project_service_pb2.CreateProjectRequest())
    assert [violation.field for violation in invalid.value.violations] == ["name"]
    future = shoal.rag.project.GetProject.future(project_service_pb2.GetProjectRequest(project_id="none"))
    with pytest.raises(NotFound):
        future.result()


def test_pages_follow_the_header(shoal: Connection) -> None:
    request = project_service_pb2.ListProjectsRequest(limit=2)
    pages = shoal.pages(shoal.rag.project.ListProjects, request)
    assert [[project.project_id for project in page.projects] for page in pages] == [["0", "1"], ["2", "3"], ["4"]]
    assert not request.HasField("cursor")


def test_a_watch_that_ends_or_breaks_goes_on_with_its_token(server: Server, shoal: Connection) -> None:
    def breaks(context: Any) -> Iterator[Any]:
        yield state("running", "b", 0.5)
        context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    server.watches = [
        lambda _: iter([state("queued", "a")]),
        breaks,
        lambda _: iter([state("succeeded", "c")]),
    ]
    seen = list(shoal.watch_job("j"))
    assert [(one.status, one.fraction) for one in seen] == [("queued", 0.0), ("running", 0.5), ("succeeded", 1.0)]
    assert server.calls == ["WatchJob", "WatchJob a", "WatchJob b"]


def test_a_job_that_failed_says_why(server: Server, shoal: Connection) -> None:
    server.watches = [lambda _: iter([state("failed", "a", error="embedding_failure: the endpoint is away")])]
    shown: list[Progress] = []
    with pytest.raises(JobFailed) as failed:
        shoal.wait_for_job("j", shown.append)
    assert (failed.value.reason, failed.value.message) == ("EMBEDDING_FAILURE", "the endpoint is away")
    assert [one.stage for one in shown] == ["embed"]


def test_asyncio_does_the_same(server: Server) -> None:
    async def scenario() -> None:
        async with connect_async(server.address, key="secret") as shoal:
            server.outages = 1
            request = project_service_pb2.GetProjectRequest(project_id="p")
            assert (await shoal.rag.project.GetProject(request)).project_id == "p"
            assert server.metadata["authorization"] == "Bearer secret"
            assert 50 < server.remaining < 62
            with pytest.raises(NotFound):
                await shoal.rag.project.GetProject(project_service_pb2.GetProjectRequest(project_id="none"))
            listed = shoal.pages(shoal.rag.project.ListProjects, project_service_pb2.ListProjectsRequest(limit=3))
            assert [[one.project_id for one in page.projects] async for page in listed] == [["0", "1", "2"], ["3", "4"]]
            server.watches = [
                lambda _: iter([state("running", "a", 0.25)]),
                lambda context: context.abort(grpc.StatusCode.UNAVAILABLE, "draining"),
                lambda _: iter([state("succeeded", "b")]),
            ]
            assert [one.fraction async for one in shoal.watch_job("j")] == [0.25, 1.0]

    asyncio.run(scenario())
