"""Namespaces over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import namespace_pb2, namespace_service_pb2_grpc
from shoal.clusters.v1 import namespace_service_pb2 as pb

from shoald.application.namespaces import CountedNamespace, Namespaces
from shoald.transport.mapping.clusters import namespaces as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class NamespaceServicer(namespace_service_pb2_grpc.NamespaceServiceServicer):
    """Hands requests to `Namespaces`."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def CreateNamespace(
        self,
        request: pb.CreateNamespaceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> namespace_pb2.Namespace:
        """Make one."""
        made = self._namespaces.create(mapping.new_namespace_of(request))
        return mapping.to_message(CountedNamespace(made, 0))

    def CreateStandaloneNamespace(
        self,
        request: pb.CreateStandaloneNamespaceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> pb.StandaloneNamespace:
        """Make one under the caller's id."""
        return mapping.standalone_message(self._namespaces.create_standalone(mapping.standalone_of(request)))

    def ListNamespaces(
        self,
        request: pb.ListNamespacesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> pb.ListNamespacesResponse:
        """List them."""
        page = self._namespaces.list(list_query(request))
        return pb.ListNamespacesResponse(
            results=map(mapping.to_message, page.items), pagination=pagination(page), total_count=page.total or 0
        )

    def GetNamespace(
        self,
        request: pb.GetNamespaceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> namespace_pb2.Namespace:
        """Get one."""
        return mapping.to_message(self._namespaces.get(request.namespace_identifier))
