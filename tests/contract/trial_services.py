"""Servicers for tests of the edge: answers and failures as the request asks for them, of some calls."""

# gRPC names the methods, and hands each a context
# ruff: noqa: N802, ARG002
# mypy: disable-error-code="abstract"

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator

import grpc
from google.api import httpbody_pb2
from shoal.clusters.v1 import (
    cluster_pb2,
    cluster_service_pb2,
    cluster_service_pb2_grpc,
    execution_pb2,
    execution_service_pb2_grpc,
)
from shoal.rag.v1 import (
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
    project_pb2,
    project_service_pb2,
    project_service_pb2_grpc,
    retrieval_service_pb2,
    retrieval_service_pb2_grpc,
    segment_set_service_pb2,
    segment_set_service_pb2_grpc,
    service_info_service_pb2_grpc,
)

from shoald.domain import failures
from shoald.transport import calls
from shoald.transport.json_values import to_struct
from shoald.transport.servicers.rag.service_info import ServiceInfoServicer

SECRET = "the password is hunter2"
PART = b"x" * 65536


def project(name: str) -> project_pb2.Project:
    """Return a project with most fields unset."""
    made = project_pb2.Project(project_id="p", name=name)
    made.settings.extra.CopyFrom(to_struct({"n": 1, "nested": {"nothing": None, "list": []}}))
    return made


class Projects(project_service_pb2_grpc.ProjectServiceServicer):
    """A project's name says what becomes of the call."""

    def CreateProject(
        self, request: project_service_pb2.CreateProjectRequest, context: grpc.ServicerContext
    ) -> project_pb2.Project:
        if request.name == "boom":
            raise RuntimeError(SECRET)
        if request.name == "busy":
            raise failures.Busy(retry_after_seconds=3)
        if request.name == "long":
            raise failures.BadRequest("long", detail={"text": "é" * 60_000})
        if request.name == "headers":
            calls.answer_header("x-next-cursor", "abc")
        answer = project(request.name)
        answer.description = f"json={calls.is_json(context)} namespace={calls.requested_namespace(context)}"
        return answer

    def ListProjects(
        self, request: project_service_pb2.ListProjectsRequest, context: grpc.ServicerContext
    ) -> project_service_pb2.ListProjectsResponse:
        return project_service_pb2.ListProjectsResponse(projects=[project(str(n)) for n in range(request.limit)])

    def GetProject(
        self, request: project_service_pb2.GetProjectRequest, context: grpc.ServicerContext
    ) -> project_pb2.Project:
        if request.project_id == "here":
            return project("here")
        raise failures.ProjectNotFound(detail={"project_id": request.project_id}, hint="list the projects")


class Documents(document_service_pb2_grpc.DocumentServiceServicer):
    """Takes uploads and says how long they were."""

    def UploadDocument(
        self, request_iterator: Iterator[document_service_pb2.UploadDocumentRequest], context: grpc.ServicerContext
    ) -> document_service_pb2.UploadDocumentResponse:
        digest, size = hashlib.sha256(), 0
        for message in request_iterator:
            digest.update(message.file.data)
            size += len(message.file.data)
        document = document_pb2.Document(document_id=digest.hexdigest(), filename=str(size))
        return document_service_pb2.UploadDocumentResponse(document=document)


class SegmentSets(segment_set_service_pb2_grpc.SegmentSetServiceServicer):
    """Streams bodies that end well, fail at once, fail midway, or go on until they are told to end."""

    def __init__(self) -> None:
        self.end = threading.Event()
        self.waiting = threading.Semaphore(0)
        self.ended = threading.Semaphore(0)

    def GetSegmentSetWithItems(
        self, request: segment_set_service_pb2.GetSegmentSetWithItemsRequest, context: grpc.ServicerContext
    ) -> Iterator[httpbody_pb2.HttpBody]:
        kind = request.segment_set_id
        if kind == "unknown":
            raise failures.SegmentSetNotFound(detail={"segment_set_version_id": kind})
        try:
            yield httpbody_pb2.HttpBody(content_type="application/json", data=b'{"items":"')
            for _ in range(16):
                yield httpbody_pb2.HttpBody(data=PART)
            if kind == "midway":
                raise failures.DataCorrupt
            if kind == "waiting":
                self.waiting.release()
                self.end.wait(20)
            yield httpbody_pb2.HttpBody(data=b'"}')
        finally:
            self.ended.release()


class Retrieval(retrieval_service_pb2_grpc.RetrievalServiceServicer):
    """Finds nothing."""

    def Retrieve(
        self, request: retrieval_service_pb2.RetrieveRequest, context: grpc.ServicerContext
    ) -> retrieval_service_pb2.RetrieveResponse:
        return retrieval_service_pb2.RetrieveResponse(strategy=request.strategy.type)


class Clusters(cluster_service_pb2_grpc.ClusterServiceServicer):
    """Knows no cluster."""

    def GetCluster(
        self, request: cluster_service_pb2.GetClusterRequest, context: grpc.ServicerContext
    ) -> cluster_pb2.Cluster:
        raise failures.ClusterNotFound(detail={"cluster_id": request.cluster_identifier})

    def CreateCluster(
        self, request: cluster_service_pb2.CreateClusterRequest, context: grpc.ServicerContext
    ) -> cluster_pb2.Cluster:
        raise failures.InvalidFields.field("body", "vector_config", "feature_uris", message="unknown feature")


class Executions(execution_service_pb2_grpc.ExecutionServiceServicer):
    """Has no run yet."""

    def GetLatestExecution(self, request: object, context: grpc.ServicerContext) -> execution_pb2.Execution:
        calls.answer_null()
        return execution_pb2.Execution()


def adder(segment_sets: SegmentSets):  # type: ignore[no-untyped-def] # the type is that of `Servers`' first argument
    """Return what adds all of them to a server."""

    def add(server: grpc.Server) -> Iterable[str]:
        service_info_service_pb2_grpc.add_ServiceInfoServiceServicer_to_server(ServiceInfoServicer(), server)
        project_service_pb2_grpc.add_ProjectServiceServicer_to_server(Projects(), server)
        document_service_pb2_grpc.add_DocumentServiceServicer_to_server(Documents(), server)
        segment_set_service_pb2_grpc.add_SegmentSetServiceServicer_to_server(segment_sets, server)
        retrieval_service_pb2_grpc.add_RetrievalServiceServicer_to_server(Retrieval(), server)
        cluster_service_pb2_grpc.add_ClusterServiceServicer_to_server(Clusters(), server)
        execution_service_pb2_grpc.add_ExecutionServiceServicer_to_server(Executions(), server)
        return ["shoal.rag.v1.ProjectService", "shoal.rag.v1.SegmentSetService", "shoal.clusters.v1.ClusterService"]

    return add
