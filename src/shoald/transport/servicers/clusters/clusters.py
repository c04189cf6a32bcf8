"""Cluster definitions over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import cluster_pb2, cluster_service_pb2_grpc, task_pb2
from shoal.clusters.v1 import cluster_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.clusters import Clusters
from shoald.application.executions import Executions
from shoald.transport.callers import caller_of
from shoald.transport.calls import metadata_of
from shoald.transport.mapping.clusters import clusters as mapping
from shoald.transport.mapping.clusters import definitions, tasks
from shoald.transport.mapping.clusters.lists import list_query, pagination

_IDEMPOTENCY_KEY = "idempotency-key"


class ClusterServicer(cluster_service_pb2_grpc.ClusterServiceServicer):
    """Hands requests to `Clusters` and `Executions`."""

    def __init__(self, access: Access, clusters: Clusters, executions: Executions) -> None:
        self._access = access
        self._clusters = clusters
        self._executions = executions

    def CreateCluster(self, request: pb.CreateClusterRequest, context: grpc.ServicerContext) -> cluster_pb2.Cluster:
        """Make a definition."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._clusters.create(caller, mapping.asked_of(request)))

    def ListClusters(self, request: pb.ListClustersRequest, context: grpc.ServicerContext) -> pb.ListClustersResponse:
        """List those of the namespace."""
        page, stats = self._clusters.list(caller_of(self._access, context), list_query(request))
        return pb.ListClustersResponse(
            results=map(mapping.to_message, page.items),
            pagination=pagination(page),
            total_count=page.total or 0,
            stats=mapping.stats_message(stats),
        )

    def GetCluster(self, request: pb.GetClusterRequest, context: grpc.ServicerContext) -> cluster_pb2.Cluster:
        """Get one."""
        return mapping.to_message(self._clusters.get(caller_of(self._access, context), request.cluster_identifier))

    def PatchCluster(
        self, request: pb.PatchClusterRequest, context: grpc.ServicerContext
    ) -> cluster_pb2.ClusterDefinition:
        """Change one."""
        caller, asked = caller_of(self._access, context), mapping.asked_of(request.body)
        return definitions.to_message(self._clusters.patch(caller, request.cluster_identifier, asked))

    def DeleteCluster(
        self, request: pb.DeleteClusterRequest, context: grpc.ServicerContext
    ) -> pb.DeleteClusterResponse:
        """Delete one."""
        caller = caller_of(self._access, context)
        keeps_output = request.HasField("cascade_output_collections") and not request.cascade_output_collections
        gone, kept = self._clusters.delete(caller, request.cluster_id, keeps_output=keeps_output)
        message = f"Cluster {gone.cluster_id} is deleted."
        return pb.DeleteClusterResponse(message=message, success=True, cluster_id=gone.cluster_id, kept_run_ids=kept)

    def ExecuteCluster(self, request: pb.ExecuteClusterRequest, context: grpc.ServicerContext) -> task_pb2.Task:
        """Start a run."""
        caller = caller_of(self._access, context)
        changes = mapping.asked_of(request.body)
        key = metadata_of(context, _IDEMPOTENCY_KEY)
        return tasks.to_message(self._executions.start(caller, request.cluster_id, changes, idempotency_key=key))

    def GetClusterGroups(
        self, request: pb.GetClusterGroupsRequest, context: grpc.ServicerContext
    ) -> pb.GetClusterGroupsResponse:
        """List the groups of the latest completed run."""
        cluster, state = self._executions.latest_completed(caller_of(self._access, context), request.cluster_id)
        return mapping.groups_message(cluster, state)
