"""What a retrieval searches: a documented target and id go in, the set or build that is meant comes out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoald.application.keyword_indexing import AnySet, set_id
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
    from shoald.application.ports.unit_of_work import UnitOfWork


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


def find_target(
    uow: UnitOfWork, caller: Caller, project_id: str, strategy: Strategy, target: str, target_id: str | None
) -> SearchTarget:
    """Return what a strategy searches for these words, in this project; see `Retrieving.retrieve` for failures."""
    found = _found(uow, caller, project_id, strategy, target, target_id)
    origin = _origin(uow, found)
    hidden = () if origin else tuple(sorted(uow.documents.hidden_beside(found.items.segment_set_version_id)))
    segments = _segments_returned(uow, caller, found, strategy)
    return replace(found, origin=origin, hidden_versions=hidden, segments=segments)


def with_enriched(uow: UnitOfWork, target: SearchTarget) -> SearchTarget:
    """Return the target with what a filter of it also sees."""
    build_id = None if target.build is None else target.build.build_id
    return replace(target, enriched=uow.enrichments.fields_of_items(target.items_id, build_id))


def _found(
    uow: UnitOfWork, caller: Caller, project_id: str, strategy: Strategy, target: str, target_id: str | None
) -> SearchTarget:
    if needs_vectors(strategy):
        _check_vector_target(strategy, target, target_id)
        return _build_target(uow, caller, project_id, str(target_id), strategy)
    if target == RetrievalTarget.CHUNK_SET:
        return _chunk_target(uow, caller, project_id, target_id)
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


def _origin(uow: UnitOfWork, found: SearchTarget) -> JsonObject:
    """Return the ids of the document that a set was made of; items of a joined set have their own."""
    of = uow.documents.of_segment_set(found.items.segment_set_version_id)
    if of is None:
        return {}
    version_id, document = of
    return document.origin(version_id)


def _segments_returned(uow: UnitOfWork, caller: Caller, found: SearchTarget, strategy: Strategy) -> SegmentSet | None:
    return _segment_set_of(uow, caller, found.items) if returns_segments(strategy) else None


def _segment_set_of(uow: UnitOfWork, caller: Caller, items: AnySet) -> SegmentSet:
    if isinstance(items, SegmentSet):
        return items
    found = uow.segment_sets.get(items.segment_set_version_id, namespace_id=caller.namespace_id)
    if found is None:
        raise SegmentSetNotFound(detail={"segment_set_version_id": items.segment_set_version_id})
    return found


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


def _build_target(uow: UnitOfWork, caller: Caller, project_id: str, build_id: str, strategy: Strategy) -> SearchTarget:
    found = uow.index_builds.with_parts(build_id, namespace_id=caller.namespace_id)
    if found is None or found[0].project_id != project_id:
        raise IndexBuildNotFound(detail={"build_id": build_id})
    build, index, chunk_set = found
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
