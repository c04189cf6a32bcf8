"""What the use cases ask of stored projects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.domain.records.project import Project


class ProjectRepository(Protocol):
    """Stored projects; each belongs to one namespace and is seen only from there."""

    def add(self, project: Project) -> None:
        """Store a new project."""
        ...

    def get(self, project_id: str, *, namespace_id: str) -> Project | None:
        """Return a project of the namespace."""
        ...

    def get_for_change(self, project_id: str, *, namespace_id: str) -> Project | None:
        """Return a project and keep others from changing it, or what is active in it, until the transaction ends."""
        ...

    def list(self, *, namespace_id: str, offset: int, limit: int) -> Sequence[Project]:
        """Return projects of the namespace, newest first, ties by id."""
        ...

    def update(self, project: Project) -> None:
        """Store the changed fields of a project that exists."""
        ...
