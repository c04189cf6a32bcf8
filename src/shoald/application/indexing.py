"""Indexes: what a caller asks for goes in, the stored index comes out; nothing is built here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoald.application.projects import visible_project
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import IndexNotFound
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.index import Index
from shoald.domain.vocabulary import IndexProvider, IndexStatus

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork

DEFAULT_INDEX_TYPE = "chunk_vectors"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIndex:
    """What an index is to be; any `provider` is taken, and refused when it is to be built or searched."""

    name: str
    provider: str = IndexProvider.QDRANT
    index_type: str = DEFAULT_INDEX_TYPE
    config: JsonObject = field(default_factory=dict)
    params: JsonObject = field(default_factory=dict)


class Indexes:
    """Creates and reads the indexes of projects."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock

    def create(self, caller: Caller, project_id: str, new: NewIndex) -> Index:
        """Store a new index; raises `ProjectNotFound`."""
        now = self._clock.now()
        index = Index(
            index_id=new_uuid(),
            project_id=project_id,
            name=new.name,
            provider=new.provider,
            index_type=new.index_type,
            config=new.config,
            params=new.params,
            status=IndexStatus.CREATED,
            is_deleted=False,
            created_at=now,
            updated_at=now,
        )
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            uow.indexes.add(index)
            uow.commit()
        return index

    def list(self, caller: Caller, project_id: str, wanted: ListRange) -> Listed[Index]:
        """Return the indexes of a project, newest first; raises `ProjectNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            visible_project(uow, caller, project_id)
            return read_list(lambda offset, limit: uow.indexes.list(project_id, offset=offset, limit=limit), wanted)

    def get(self, caller: Caller, index_id: str) -> Index:
        """Return an index; raises `IndexNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            return visible_index(uow, caller, index_id)


def visible_index(uow: UnitOfWork, caller: Caller, index_id: str) -> Index:
    """Return an index of the caller's namespace; raises `IndexNotFound`."""
    index = uow.indexes.get(index_id, namespace_id=caller.namespace_id)
    if index is None:
        raise IndexNotFound(detail={"index_id": index_id})
    return index
