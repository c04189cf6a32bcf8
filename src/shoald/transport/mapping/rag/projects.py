"""Projects as messages, and requests about them as what the use case takes."""

from __future__ import annotations

from typing import Any

from shoal.rag.v1 import project_pb2, project_service_pb2

from shoald.application.projects import ProjectChanges
from shoald.domain.json_types import JsonObject
from shoald.domain.records.project import Project
from shoald.transport.mapping.rag.fields import object_of, to_object, to_timestamp


def to_message(project: Project) -> project_pb2.Project:
    """Return a project as it is shown."""
    return project_pb2.Project(
        project_id=project.project_id,
        name=project.name,
        description=project.description,
        settings=_settings_message(project.settings),
        created_at=to_timestamp(project.created_at),
        updated_at=to_timestamp(project.updated_at),
    )


def settings_of(message: project_pb2.ProjectSettings) -> JsonObject:
    """Return settings as they are stored; members that are not given are null or empty."""
    settings: dict[str, Any] = {"extra": object_of(message.extra, "settings", "extra")}
    for name in ("default_retrieval_preset", "default_chunking_preset"):
        settings[name] = getattr(message, name) if message.HasField(name) else None
    return settings


def changes_of(request: project_service_pb2.UpdateProjectRequest) -> ProjectChanges:
    """Return what a request changes."""
    return ProjectChanges(
        name=request.name if request.HasField("name") else None,
        description=request.description if request.HasField("description") else None,
        settings=settings_of(request.settings) if request.HasField("settings") else None,
    )


def _settings_message(settings: JsonObject) -> project_pb2.ProjectSettings:
    return project_pb2.ProjectSettings(
        default_retrieval_preset=settings.get("default_retrieval_preset"),
        default_chunking_preset=settings.get("default_chunking_preset"),
        extra=to_object(settings.get("extra") or {}),
    )
