"""What a retrieval searches: a documented target and id go in, the set or build that is meant comes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from shoald.application.keyword_indexing import AnySet, set_id
from shoald.application.projects import not_found
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
from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.retrieval.strategies import DualStorageSearch, Strategy, legs, needs_vectors, returns_segments
from shoald.domain.vocabulary import IndexProvider, RetrievalTarget, RunStatus

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.repositories.enrichments import EnrichedFields
    from shoald.application.ports.repositories.search_targets import TargetRows
    from shoald.application.ports.unit_of_work import UnitOfWork
    from shoald.domain.records.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTarget:
    """What is searched: `items` hold the texts; `build` and its `index` are set when vectors are searched.

    Hits are items of `items`, or of `segments` where a strategy returns the segments that chunks came from. `origin`
    has the ids of the document and its version where all items are of one; else `hidden_versions` are those whose
    passages are not found, since they are deleted or their document is. `enriched` is what runs wrote into the
    documents that an index made of the items, which filters see; it is looked for only where there is a filter.
    """

    target_id: str
    items: AnySet
    build: IndexBuild | None = None
    index: Index | None = None
    segments: SegmentSet | None = None
    origin: JsonObject = field(default_factory=dict)
    hidden_versions: tuple[str, ...] = ()
    enriched: EnrichedFields | None = None

    @property
    def searched(self) -> tuple[Any, ...]:
        """What a result of searching it holds for: sets and builds never change, so their id stands for them."""
        enriched = self.enriched and (self.enriched.collection_id, self.enriched.version)
        return (self.target_id, self.hidden_versions, enriched)

    @property
    def items_id(self) -> str:
        """Id of the set that is searched."""
        return set_id(self.items)

    @property
    def returned(self) -> AnySet:
        """The set whose items are returned."""
        return self.items if self.segments is None else self.segments

    @property
    def ids(self) -> JsonObject:
        """What is laid over the metadata of each item that is searched, beside what is its own."""
        return self._ids_in(self.items)

    @property
    def returned_ids(self) -> JsonObject:
        """What is laid over the metadata of each item that is returned."""
        return self._ids_in(self.returned)

    def _ids_in(self, items: AnySet) -> JsonObject:
        ids: dict[str, Any] = {**self.origin, "segment_set_version_id": items.segment_set_version_id}
        if isinstance(items, ChunkSet):
            ids["chunk_set_version_id"] = items.chunk_set_version_id
        if self.build is not None:
            ids["build_id"] = self.build.build_id
        return ids


class Aimed(Protocol):
    """What says where to search, and how."""

    @property
    def strategy(self) -> Strategy:
        """How to search."""
        ...

    @property
    def target(self) -> str:
        """The kind of what is searched."""
        ...

    @property
    def target_id(self) -> str | None:
        """Its id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """What one question told of a project and of a target in it."""

    target: str
    target_id: str | None
    rows: TargetRows

    @property
    def project(self) -> Project:
        """The project."""
        return self.rows.project


def first_look(uow: UnitOfWork, caller: Caller, project_id: str, target: str, target_id: str | None) -> FirstLook:
    """Read a project together with a build or chunk set, if that is the target; raises `ProjectNotFound`."""
    if target == RetrievalTarget.INDEX_BUILD and target_id:
        rows = uow.search_targets.of_build(project_id, target_id, namespace_id=caller.namespace_id)
    else:
        rows = uow.search_targets.of_chunk_set(project_id, target_id, namespace_id=caller.namespace_id)
    if rows is None:
        raise not_found(project_id)
    return FirstLook(target=target, target_id=target_id, rows=rows)


def find_target(
    uow: UnitOfWork, caller: Caller, project_id: str, asked: Aimed, look: FirstLook | None = None
) -> SearchTarget:
    """Return what is to be searched in this project; see `Retrieving.retrieve` for failures.

    A first look that told of it is not repeated.
    """
    if look is None or (look.target, look.target_id) != (asked.target, asked.target_id):
        look = first_look(uow, caller, project_id, asked.target, asked.target_id)
    found = _found(uow, caller, project_id, asked, look)
    origin = _origin(uow, found, look.rows)
    hidden = () if origin else tuple(sorted(uow.documents.hidden_beside(found.items.segment_set_version_id)))
    segments = _segments_returned(uow, caller, found, asked.strategy)
    return replace(found, origin=origin, hidden_versions=hidden, segments=segments)


def with_enriched(uow: UnitOfWork, target: SearchTarget) -> SearchTarget:
    """Return the target with what a filter of it also sees."""
    build_id = None if target.build is None else target.build.build_id
    return replace(target, enriched=uow.enrichments.fields_of_items(target.items_id, build_id))


def _found(uow: UnitOfWork, caller: Caller, project_id: str, asked: Aimed, look: FirstLook) -> SearchTarget:
    strategy, target, target_id = asked.strategy, asked.target, asked.target_id
    if needs_vectors(strategy):
        _check_vector_target(strategy, target, target_id)
        return _build_target(uow, caller, look.rows, str(target_id), strategy)
    if target == RetrievalTarget.CHUNK_SET:
        return _chunk_target(look.rows.chunk_set, project_id, target_id)
    if target == RetrievalTarget.SEGMENT_SET:
        return _segment_target(uow, caller, project_id, target_id)
    raise UnsupportedTarget(
        f"The strategy {strategy.type} cannot search the target {target!r}.",
        detail={"strategy": strategy.type, "target": target},
        hint="Its targets are chunk_set and segment_set.",
    )


def _check_vector_target(strategy: Strategy, target: str, target_id: str | None) -> None:
    if target != RetrievalTarget.INDEX_BUILD:
        raise InvalidTarget(
            f"The strategy {strategy.type} needs the target index_build here.",
            detail={"strategy": strategy.type, "target": target},
            hint="Set target to index_build and target_id to the id of a build.",
        )
    if target_id:
        return
    message = f"The strategy {strategy.type} needs a target_id."
    if isinstance(strategy, DualStorageSearch):
        raise InvalidTarget(message, detail={"strategy": strategy.type, "target_id": target_id})
    raise MissingTargetId(message, detail={"strategy": strategy.type})


def _origin(uow: UnitOfWork, found: SearchTarget, known: TargetRows) -> JsonObject:
    """Return the ids of the document that a set was made of; items of a joined set have their own."""
    segment_set_id = found.items.segment_set_version_id
    if known.chunk_set is None or known.chunk_set.segment_set_version_id != segment_set_id:
        of = uow.documents.of_segment_set(segment_set_id)
        return {} if of is None else of[1].origin(of[0])
    return {} if known.document is None else known.document.origin(str(known.version_id))


def _segments_returned(uow: UnitOfWork, caller: Caller, found: SearchTarget, strategy: Strategy) -> SegmentSet | None:
    return _segment_set_of(uow, caller, found.items) if returns_segments(strategy) else None


def _segment_set_of(uow: UnitOfWork, caller: Caller, items: AnySet) -> SegmentSet:
    if isinstance(items, SegmentSet):
        return items
    found = uow.segment_sets.get(items.segment_set_version_id, namespace_id=caller.namespace_id)
    if found is None:
        raise SegmentSetNotFound(detail={"segment_set_version_id": items.segment_set_version_id})
    return found


def _chunk_target(found: ChunkSet | None, project_id: str, target_id: str | None) -> SearchTarget:
    if found is not None:
        return SearchTarget(target_id=found.chunk_set_version_id, items=found)
    if target_id is None:
        raise _nothing_active(ChunkSetNotFound("The project has no active chunk set."), project_id)
    raise ChunkSetNotFound(detail={"chunk_set_version_id": target_id})


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


def _build_target(
    uow: UnitOfWork, caller: Caller, known: TargetRows, build_id: str, strategy: Strategy
) -> SearchTarget:
    build, index, chunk_set = known.build, known.index, known.chunk_set
    if build is None or index is None or chunk_set is None:
        raise IndexBuildNotFound(detail={"build_id": build_id})
    if index.provider not in set(IndexProvider):
        raise ProviderUnsupported(f"Unsupported index provider: {index.provider}", detail={"provider": index.provider})
    is_dual = any(isinstance(leg, DualStorageSearch) for leg in legs(strategy))
    if is_dual and index.provider != IndexProvider.QDRANT:
        raise ProviderUnsupported(
            "The strategy dual_storage needs an index of the provider qdrant.",
            detail={"strategy": "dual_storage", "provider": index.provider},
        )
    if build.status != RunStatus.SUCCEEDED:
        raise IndexBuildNotReady(
            f"The index build is {build.status}, so it cannot be searched.",
            detail={"build_id": build_id, "status": build.status},
        )
    indexed = _segment_set_of(uow, caller, chunk_set) if "segment_set_version_id" in build.manifest else chunk_set
    return SearchTarget(target_id=build_id, items=indexed, build=build, index=index)


def _nothing_active(failure: NotFound, project_id: str) -> NotFound:
    failure.detail["project_id"] = project_id
    failure.hint = "Make a set first, or name one in target_id."
    return failure
