"""Projects: what a caller asks for goes in, the stored project comes out."""

from __future__ import annotations

from dataclasses import dataclass, replace

from shoald.application.access import Caller
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.preset_checks import PresetChecks
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import ProjectNotFound
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.project import Project

_NO_SETTINGS: JsonObject = {"default_retrieval_preset": None, "default_chunking_preset": None, "extra": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectChanges:
    """What to change; None leaves a field as it is, `settings` replaces the whole object."""

    name: str | None = None
    description: str | None = None
    settings: JsonObject | None = None


class Projects:
    """Creates, reads and changes the projects of the caller's namespace."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, presets: PresetChecks) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._presets = presets

    def create(self, caller: Caller, *, name: str, description: str | None, settings: JsonObject | None) -> Project:
        """Store a new project; raises `InvalidFields` for a preset that is not there or that no call could use."""
        settings = {**_NO_SETTINGS, **(settings or {})}
        self._presets.check(settings)
        now = self._clock.now()
        project = Project(
            project_id=new_uuid(),
            namespace_id=caller.namespace_id,
            name=name,
            description=description,
            settings=settings,
            created_at=now,
            updated_at=now,
        )
        with self._open_unit_of_work() as uow:
            uow.projects.add(project)
            uow.commit()
        return project

    def list(self, caller: Caller, wanted: ListRange) -> Listed[Project]:
        """Return projects, newest first."""
        with self._open_unit_of_work(reading=True) as uow:
            return read_list(
                lambda offset, limit: uow.projects.list(namespace_id=caller.namespace_id, offset=offset, limit=limit),
                wanted,
            )

    def get(self, caller: Caller, project_id: str) -> Project:
        """Return a project; raises `ProjectNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            return visible_project(uow, caller, project_id)

    def update(self, caller: Caller, project_id: str, changes: ProjectChanges) -> Project:
        """Change what is given; a change to what is there already leaves `updated_at`.

        Raises `ProjectNotFound`, and `InvalidFields` for a preset that is not there or that no call could use.
        """
        with self._open_unit_of_work() as uow:
            project = uow.projects.get_for_change(project_id, namespace_id=caller.namespace_id)
            if project is None:
                raise not_found(project_id)
            changed = _changed(project, changes)
            if changes.settings is not None:
                self._presets.check(changed.settings)
            if changed == project:
                return project
            changed = replace(changed, updated_at=self._clock.now())
            uow.projects.update(changed)
            uow.commit()
        return changed


def visible_project(uow: UnitOfWork, caller: Caller, project_id: str) -> Project:
    """Return a project of the caller's namespace; raises `ProjectNotFound`."""
    project = uow.projects.get(project_id, namespace_id=caller.namespace_id)
    if project is None:
        raise not_found(project_id)
    return project


def not_found(project_id: str) -> ProjectNotFound:
    """Return the failure that names the id."""
    return ProjectNotFound(detail={"project_id": project_id})


def _changed(project: Project, changes: ProjectChanges) -> Project:
    settings = project.settings if changes.settings is None else {**_NO_SETTINGS, **changes.settings}
    return replace(
        project,
        name=project.name if changes.name is None else changes.name,
        description=project.description if changes.description is None else changes.description,
        settings=settings,
    )
