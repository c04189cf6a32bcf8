"""Jobs over gRPC: listed, read, watched, canceled."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from shoal.rag.v1 import job_pb2, job_service_pb2_grpc
from shoal.rag.v1 import job_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.jobs import Jobs
from shoald.application.projects import Projects
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.records.job import Job
from shoald.transport.callers import caller_of
from shoald.transport.mapping.rag import jobs as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range


class JobServicer(job_service_pb2_grpc.JobServiceServicer):
    """Hands requests to `Jobs`."""

    def __init__(self, access: Access, jobs: Jobs, projects: Projects) -> None:
        self._access = access
        self._jobs = jobs
        self._projects = projects

    def ListJobs(self, request: pb.ListJobsRequest, context: grpc.ServicerContext) -> pb.ListJobsResponse:
        """List those of a project."""
        project = self._projects.get(caller_of(self._access, context), request.project_id)
        listed = self._listed(context, list_range(request), project.project_id)
        return pb.ListJobsResponse(jobs=map(mapping.to_message, listed.rows))

    def ListAllJobs(self, request: pb.ListAllJobsRequest, context: grpc.ServicerContext) -> pb.ListAllJobsResponse:
        """List those of the caller's namespace."""
        listed = self._listed(context, list_range(request), None)
        return pb.ListAllJobsResponse(jobs=map(mapping.to_message, listed.rows))

    def GetJob(self, request: pb.GetJobRequest, context: grpc.ServicerContext) -> job_pb2.Job:
        """Get one."""
        return mapping.to_message(self._jobs.get(caller_of(self._access, context), request.job_id))

    def WatchJob(self, request: pb.WatchJobRequest, context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Tell what becomes of one."""
        token = request.resume_token if request.HasField("resume_token") else None
        caller = caller_of(self._access, context)
        news = self._jobs.watch(caller, request.job_id, token=token, is_wanted=context.is_active)
        return map(mapping.news_message, news)

    def CancelJob(self, request: pb.CancelJobRequest, context: grpc.ServicerContext) -> job_pb2.Job:
        """Ask for the end of one."""
        return mapping.to_message(self._jobs.cancel(caller_of(self._access, context), request.job_id))

    def _listed(self, context: grpc.ServicerContext, wanted: ListRange, project_id: str | None) -> Listed[Job]:
        caller = caller_of(self._access, context)
        listed = read_list(
            lambda offset, limit: self._jobs.list(
                caller, project_id=project_id, listed_only=True, limit=limit, offset=offset
            )[0],
            wanted,
        )
        announce_next(listed)
        return listed
