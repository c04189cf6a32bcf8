"""Namespaces over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import namespace_pb2, namespace_service_pb2_grpc
from shoal.clusters.v1 import namespace_service_pb2 as pb

from shoald.application.namespaces import CountedNamespace, Namespaces
from shoald.domain.vocabulary import NamespaceView
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
        shown = mapping.to_summary if request.view == NamespaceView.SUMMARY else mapping.to_message
        return pb.ListNamespacesResponse(
            results=map(shown, page.items), pagination=pagination(page), total_count=page.total or 0
        )

    def GetNamespace(
        self,
        request: pb.GetNamespaceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> namespace_pb2.Namespace:
        """Get one."""
        return mapping.to_message(self._namespaces.get(request.namespace_identifier))

    def UpdateNamespace(
        self,
        request: pb.UpdateNamespaceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> namespace_pb2.Namespace:
        """Change one."""
        changes = mapping.changes_of(request.body)
        return mapping.to_message(self._namespaces.update(request.namespace_identifier, changes))

    def DeleteNamespace(
        self,
        request: pb.DeleteNamespaceRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> pb.DeleteNamespaceResponse:
        """Delete one."""
        gone = self._namespaces.delete(request.namespace_identifier, force=request.force)
        message = f"Namespace {gone.namespace_id} is deleted."
        return pb.DeleteNamespaceResponse(message=message, success=True, namespace_id=gone.namespace_id)

    def GetNamespaceStats(
        self,
        request: pb.GetNamespaceStatsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> namespace_pb2.NamespaceStats:
        """Count what one holds."""
        namespace, counts = self._namespaces.stats(request.namespace_identifier)
        return mapping.stats_message(namespace.namespace_id, counts)

    def BatchGetNamespaceStats(
        self,
        request: pb.BatchGetNamespaceStatsRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> pb.BatchGetNamespaceStatsResponse:
        """Count what several hold."""
        found = self._namespaces.stats_of(request.namespace_ids)
        return pb.BatchGetNamespaceStatsResponse(
            stats={one: mapping.stats_message(one, counts) for one, counts in found.items()}
        )
