"""Projects over gRPC."""

from __future__ import annotations

import grpc
from shoal.rag.v1 import project_pb2, project_service_pb2_grpc
from shoal.rag.v1 import project_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.projects import Projects
from shoald.transport.callers import caller_of
from shoald.transport.mapping.rag import projects as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range


class ProjectServicer(project_service_pb2_grpc.ProjectServiceServicer):
    """Hands requests to `Projects`."""

    def __init__(self, access: Access, projects: Projects) -> None:
        self._access = access
        self._projects = projects

    def CreateProject(self, request: pb.CreateProjectRequest, context: grpc.ServicerContext) -> project_pb2.Project:
        """Create one."""
        project = self._projects.create(
            caller_of(self._access, context),
            name=request.name,
            description=request.description if request.HasField("description") else None,
            settings=mapping.settings_of(request.settings),
        )
        return mapping.to_message(project)

    def ListProjects(self, request: pb.ListProjectsRequest, context: grpc.ServicerContext) -> pb.ListProjectsResponse:
        """List those of the caller's namespace."""
        listed = self._projects.list(caller_of(self._access, context), list_range(request))
        announce_next(listed)
        return pb.ListProjectsResponse(projects=map(mapping.to_message, listed.rows))

    def GetProject(self, request: pb.GetProjectRequest, context: grpc.ServicerContext) -> project_pb2.Project:
        """Get one."""
        return mapping.to_message(self._projects.get(caller_of(self._access, context), request.project_id))

    def UpdateProject(self, request: pb.UpdateProjectRequest, context: grpc.ServicerContext) -> project_pb2.Project:
        """Change one."""
        caller = caller_of(self._access, context)
        return mapping.to_message(self._projects.update(caller, request.project_id, mapping.changes_of(request)))
