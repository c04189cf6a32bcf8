"""Tasks over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import task_pb2, task_service_pb2_grpc
from shoal.clusters.v1 import task_service_pb2 as pb

from shoald.application.access import Access, Caller
from shoald.application.tasks import Tasks
from shoald.transport.callers import caller_of
from shoald.transport.calls import key_of_call, requested_namespace
from shoald.transport.mapping.clusters import tasks as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class TaskServicer(task_service_pb2_grpc.TaskServiceServicer):
    """Hands requests to `Tasks`."""

    def __init__(self, access: Access, tasks: Tasks) -> None:
        self._access = access
        self._tasks = tasks

    def GetTask(self, request: pb.GetTaskRequest, context: grpc.ServicerContext) -> task_pb2.Task:
        """Get one."""
        return mapping.state_message(self._tasks.get(self._named_caller(context), request.task_id, reach=_reach()))

    def ListTasks(self, request: pb.ListTasksRequest, context: grpc.ServicerContext) -> pb.ListTasksResponse:
        """List those of the namespace, or of all that the caller reaches when none is named."""
        page = self._tasks.list(
            self._named_caller(context),
            list_query(request),
            status=request.body.status or None,
            task_type=request.body.task_type or None,
            reach=_reach(),
        )
        return pb.ListTasksResponse(results=map(mapping.state_message, page.items), pagination=pagination(page))

    def CancelTask(self, request: pb.CancelTaskRequest, context: grpc.ServicerContext) -> pb.CancelTaskResponse:
        """Cancel one."""
        job, had_ended = self._tasks.cancel(self._named_caller(context), request.task_id, reach=_reach())
        return mapping.canceled_message(job, had_ended=had_ended)

    def _named_caller(self, context: grpc.ServicerContext) -> Caller | None:
        """Return the caller in the namespace that the call names, None when it names none."""
        return caller_of(self._access, context) if requested_namespace(context) is not None else None


def _reach() -> tuple[str, ...]:
    """Return the namespaces that the call's key opens; none: all."""
    key = key_of_call()
    return () if key is None else key.namespace_ids
