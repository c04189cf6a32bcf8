"""What a retrieval searches: a documented target and id go in, the set or build that is meant comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.index_building import visible_build
from shoald.application.indexing import visible_index
from shoald.domain.failures import (
    ChunkSetNotFound,
    IndexBuildNotFound,
    IndexBuildNotReady,
    InvalidTarget,
    MissingTargetId,
    NotFound,
    ProviderUnsupported,
    SegmentSetNotFound,
    UnsupportedTarget,
)
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.vocabulary import IndexProvider, RetrievalStrategy, RetrievalTarget, RunStatus

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTarget:
    """What is searched: `items` hold the texts; `build` and its `index` are set when vectors are searched."""

    target_id: str
    items: ChunkSet | SegmentSet
    build: IndexBuild | None = None
    index: Index | None = None


def find_target(
    uow: UnitOfWork, caller: Caller, project_id: str, strategy: str, target: str, target_id: str | None
) -> SearchTarget:
    """Return what a strategy searches for these words, in this project; see `Retrieving.retrieve` for failures."""
    if strategy == RetrievalStrategy.VECTOR:
        if target != RetrievalTarget.INDEX_BUILD:
            raise InvalidTarget(
                "The strategy vector needs the target index_build.", detail={"strategy": strategy, "target": target}
            )
        if not target_id:
            raise MissingTargetId("The strategy vector needs a target_id.", detail={"strategy": strategy})
        return _build_target(uow, caller, project_id, target_id)
    if target == RetrievalTarget.CHUNK_SET:
        return _chunk_target(uow, caller, project_id, target_id)
    if target == RetrievalTarget.SEGMENT_SET:
        return _segment_target(uow, caller, project_id, target_id)
    raise UnsupportedTarget(
        f"The strategy {strategy} cannot search the target {target!r}.",
        detail={"strategy": strategy, "target": target},
        hint="Its targets are chunk_set and segment_set.",
    )


def _chunk_target(uow: UnitOfWork, caller: Caller, project_id: str, target_id: str | None) -> SearchTarget:
    if target_id is None:
        found = uow.chunk_sets.active(project_id)
        if found is None:
            raise _nothing_active(ChunkSetNotFound("The project has no active chunk set."), project_id)
    else:
        found = uow.chunk_sets.get(target_id, namespace_id=caller.namespace_id)
        if found is None or found.project_id != project_id:
            raise ChunkSetNotFound(detail={"chunk_set_version_id": target_id})
    return SearchTarget(target_id=found.chunk_set_version_id, items=found)


def _segment_target(uow: UnitOfWork, caller: Caller, project_id: str, target_id: str | None) -> SearchTarget:
    if target_id is None:
        found = uow.segment_sets.newest_active(project_id)
        if found is None:
            raise _nothing_active(SegmentSetNotFound("The project has no active segment set."), project_id)
    else:
        found = uow.segment_sets.get(target_id, namespace_id=caller.namespace_id)
        if found is None or found.project_id != project_id:
            raise SegmentSetNotFound(detail={"segment_set_version_id": target_id})
    return SearchTarget(target_id=found.segment_set_version_id, items=found)


def _build_target(uow: UnitOfWork, caller: Caller, project_id: str, build_id: str) -> SearchTarget:
    build = visible_build(uow, caller, build_id)
    if build.project_id != project_id:
        raise IndexBuildNotFound(detail={"build_id": build_id})
    index = visible_index(uow, caller, build.index_id)
    if index.provider not in set(IndexProvider):
        raise ProviderUnsupported(f"Unsupported index provider: {index.provider}", detail={"provider": index.provider})
    if build.status != RunStatus.SUCCEEDED:
        raise IndexBuildNotReady(
            f"The index build is {build.status}, so it cannot be searched.",
            detail={"build_id": build_id, "status": build.status},
        )
    chunk_set = uow.chunk_sets.get(build.chunk_set_version_id, namespace_id=caller.namespace_id)
    if chunk_set is None:
        raise ChunkSetNotFound(detail={"chunk_set_version_id": build.chunk_set_version_id})
    return SearchTarget(target_id=build_id, items=chunk_set, build=build, index=index)


def _nothing_active(failure: NotFound, project_id: str) -> NotFound:
    failure.detail["project_id"] = project_id
    failure.hint = "Make a set first, or name one in target_id."
    return failure
