"""Answers for the installation itself: its name, its life, its documents."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import grpc
from google.api import httpbody_pb2
from shoal.rag.v1 import service_info_service_pb2 as pb
from shoal.rag.v1 import service_info_service_pb2_grpc as pb_grpc

from shoald.domain.failures import ArtifactNotFound


@cache
def _document(name: str) -> bytes:
    """Return a generated OpenAPI document: it lies in the wheel, or in gen/ of a source tree."""
    in_wheel = files("shoald").joinpath("openapi", name)
    if in_wheel.is_file():
        return in_wheel.read_bytes()
    in_tree = Path(__file__).resolve().parents[5] / "gen" / "openapi" / name
    if not in_tree.is_file():
        raise ArtifactNotFound(f"This installation carries no {name}.")
    return in_tree.read_bytes()


def _json(name: str) -> httpbody_pb2.HttpBody:
    return httpbody_pb2.HttpBody(content_type="application/json", data=_document(name))


class ServiceInfoServicer(pb_grpc.ServiceInfoServiceServicer):
    """Needs nothing behind it, so that it answers whatever is down."""

    def GetService(self, request: pb.GetServiceRequest, context: grpc.ServicerContext) -> pb.ServiceInfo:
        """Return the documented name."""
        del request, context
        return pb.ServiceInfo(service="RAG API", api="/api/v1")

    def GetHealth(self, request: pb.GetHealthRequest, context: grpc.ServicerContext) -> pb.HealthStatus:
        """Return ok."""
        del request, context
        return pb.HealthStatus(status="ok")

    def GetRagOpenApi(self, request: pb.GetRagOpenApiRequest, context: grpc.ServicerContext) -> httpbody_pb2.HttpBody:
        """Return the document of the RAG paths."""
        del request, context
        return _json("rag.json")

    def GetClustersOpenApi(
        self, request: pb.GetClustersOpenApiRequest, context: grpc.ServicerContext
    ) -> httpbody_pb2.HttpBody:
        """Return the document of the clusters paths."""
        del request, context
        return _json("clusters.json")

    def GetOpenApi(self, request: pb.GetOpenApiRequest, context: grpc.ServicerContext) -> httpbody_pb2.HttpBody:
        """Return the document of all paths."""
        del request, context
        return _json("all.json")
