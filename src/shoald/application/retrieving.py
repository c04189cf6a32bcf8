"""Retrieval: a query and a target go in, pages of the passages that answer it come out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoald.application.asked_searches import Search
from shoald.application.group_membership import GroupMemberships
from shoald.application.keyword_indexing import repository_of, set_id
from shoald.application.map_findings import GroupFacet, MapFindings, facets_of, groups_on_page
from shoald.application.presets import retrieval_preset
from shoald.application.retrieval_requests import RetrievalRequest, read_request
from shoald.application.search_targets import SearchTarget, find_target, first_look, with_enriched
from shoald.application.searching import Searches
from shoald.domain.cursors import cursor_of
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.retrieval_run import RetrievalRun
from shoald.domain.records.segment_set import SetItem
from shoald.domain.retrieval.grouped_hits import together
from shoald.domain.retrieval.hits import Hits
from shoald.domain.retrieval.run_groups import HitGroup
from shoald.domain.vocabulary import RetrievalTarget

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.waiting import Patience


Asked = RetrievalRequest | JsonObject
"""A request, or the fields of one; the project's `default_retrieval_preset` fills those that are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One hit: its text, its item's metadata with the documented keys laid over it, and its score.

    `group` says where it stands on the map that was asked for.
    """

    page_content: str
    metadata: JsonObject
    score: float
    group: HitGroup | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalPage:
    """One page of hits; `total` counts those of all pages, `next_offset` is None on the last."""

    items: Sequence[RetrievedDocument]
    next_offset: int | None
    strategy: str
    target: str
    target_id: str | None
    total: int
    run_id: str | None = None
    map: MapFindings | None = None


class Retrieving:
    """Finds passages in the projects of the caller's namespace."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        searches: Searches,
        memberships: GroupMemberships,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._searches = searches
        self._memberships = memberships

    def retrieve(self, caller: Caller, project_id: str, asked: Asked, patience: Patience) -> RetrievalPage:
        """Return one page, best hits first.

        Raises `ProjectNotFound`, `ChunkSetNotFound`, `SegmentSetNotFound`, `IndexBuildNotFound`, `IndexBuildNotReady`,
        `UnsupportedTarget`, `InvalidTarget`, `MissingTargetId`, `ProviderUnsupported`, `InvalidFields`,
        `InvalidEnsembleSources`, of a map `ClusterNotFound` and `ExecutionNotFound`, `DeadlineExceeded` when the
        caller's `patience` ends first, and what a search meets.
        """
        found = self._search(caller, project_id, asked, patience)
        return self._stored(project_id, found.request, self._page(found.request, found))

    def pages(self, caller: Caller, project_id: str, asked: Asked, patience: Patience) -> Iterator[RetrievalPage]:
        """Yield pages until the last; the search is done once, and the texts of no more than one page are held.

        A page is yielded as soon as it and that there is another are known (see `Searches.growing`); its `total` is
        what is known then. The first page alone is stored, and that with all hits known. A caller that goes away ends
        it.
        """
        request, search = self._asked(caller, project_id, asked, patience)
        for found, is_whole in self._grown(request, search):
            hits = found.hits
            while is_whole or len(hits) > request.offset + request.page_size:
                patience.check("The stream of pages")
                page = self._stored(project_id, request, self._page(request, found))
                yield page
                if page.next_offset is None:
                    return
                request = request.behind(page.next_offset)

    def _grown(self, request: RetrievalRequest, search: Search) -> Iterator[tuple[_Found, bool]]:
        if request.persist or (request.map is not None and request.map.needs_all_hits):
            yield self._found(request, search), True
            return
        for hits, is_whole in self._searches.growing(search):
            yield _Found(request, search, hits), is_whole

    def _found(self, request: RetrievalRequest, search: Search) -> _Found:
        """Search, and put the hits into the order of the pages."""
        asked, seen = request.map, search.map
        if asked is None or seen is None:
            return _Found(request, search, self._searches.hits(search))
        hits, every = self._searches.hits_and_every(search) if asked.facets else (self._searches.hits(search), None)
        if asked.grouped:
            hits = hits.rows(together(seen.numbers[hits.searched]))
        return _Found(request, search, hits, every)

    def _search(self, caller: Caller, project_id: str, asked: Asked, patience: Patience) -> _Found:
        request, search = self._asked(caller, project_id, asked, patience)
        return self._found(request, search)

    def _asked(
        self, caller: Caller, project_id: str, asked: Asked, patience: Patience
    ) -> tuple[RetrievalRequest, Search]:
        with self._open_unit_of_work(reading=True) as uow:
            look = first_look(uow, caller, project_id, *_aim(asked))
            preset = retrieval_preset(look.project)
            request = asked if isinstance(asked, RetrievalRequest) else read_request(asked, preset)
            target = find_target(uow, caller, project_id, request, look)
            target = with_enriched(uow, target) if request.filter else target
            asked_map, known = request.map, self._memberships
            chosen = None if asked_map is None else known.chosen(uow, caller, asked_map, target)
        search = Search(
            scope=(caller.namespace_id, project_id),
            target=target,
            strategy=request.strategy,
            query=request.query,
            filter=request.filter,
            patience=patience,
            map=None if chosen is None or asked_map is None else known.over(chosen, target.items, asked_map),
        )
        return request, search

    def _page(self, request: RetrievalRequest, found: _Found) -> RetrievalPage:
        end = request.offset + request.page_size
        target = found.search.target
        return RetrievalPage(
            items=self._documents(found.search, found.hits.part(request.offset, end)),
            next_offset=end if end < len(found.hits) else None,
            strategy=request.strategy.type,
            target=request.target,
            target_id=target.target_id,
            total=len(found.hits),
            map=self._findings(request, found),
        )

    def _findings(self, request: RetrievalRequest, found: _Found) -> MapFindings | None:
        """Return what a page tells of the map that was asked for."""
        asked, seen = request.map, found.search.map
        if asked is None or seen is None:
            return None
        facets: Sequence[GroupFacet] = ()
        if asked.facets and found.every is not None:
            facets = facets_of(seen, found.every)
        on_page = groups_on_page(seen, found.hits, request.offset, request.page_size) if asked.grouped else ()
        return MapFindings(run_id=seen.run.run_id, cluster_id=seen.run.cluster_id, groups=on_page, facets=facets)

    def _documents(self, search: Search, hits: Hits) -> Sequence[RetrievedDocument]:
        """Return what is shown of some hits, in their order."""
        positions, returned = hits.positions.tolist(), search.target.returned
        with self._open_unit_of_work(reading=True) as uow:
            items = repository_of(uow, returned).items_at(set_id(returned), positions)
        spans = self._searches.spans(search, [items[position].content for position in positions])
        base_scores = [None] * len(hits) if hits.base_scores is None else hits.base_scores.tolist()
        groups = [None] * len(hits) if search.map is None else search.map.described(hits)
        return [
            _retrieved(items[position], search.target, score, {"base_score": base, "matches": matches}, group)
            for position, score, base, matches, group in zip(
                positions, hits.scores.tolist(), base_scores, spans, groups, strict=True
            )
        ]

    def _stored(self, project_id: str, request: RetrievalRequest, page: RetrievalPage) -> RetrievalPage:
        return replace(page, run_id=self._store(project_id, request, page)) if request.persist else page

    def _store(self, project_id: str, request: RetrievalRequest, page: RetrievalPage) -> str:
        """Store the request with this page, as a row and as an object, and return the run's id."""
        run_id = new_uuid()
        results = _results(page)
        content = json.dumps(results, ensure_ascii=False).encode()
        stored = self._objects.put(f"retrieval_runs/{run_id}.json", content)
        run = RetrievalRun(
            run_id=run_id,
            project_id=project_id,
            strategy=page.strategy,
            query=request.query,
            target_type=page.target,
            target_id=page.target_id,
            params=request.as_json(),
            results=results,
            artifact_uri=self._objects.uri(stored.key),
            is_deleted=False,
            created_at=self._clock.now(),
        )
        with self._open_unit_of_work() as uow:
            uow.retrieval_runs.add(run)
            uow.commit()
        return run_id


@dataclass(frozen=True, slots=True)
class _Found:
    """What was asked, the search that it became, and all that this found.

    `every` are the hits before groups gave any up, known where facets count them.
    """

    request: RetrievalRequest
    search: Search
    hits: Hits
    every: Hits | None = None


def _aim(asked: Asked) -> tuple[str, str | None]:
    """Return the target that a request most likely means: what its project's preset says is not known yet."""
    if isinstance(asked, RetrievalRequest):
        return asked.target, asked.target_id
    target, target_id = asked.get("target"), asked.get("target_id")
    return (
        target if isinstance(target, str) else RetrievalTarget.CHUNK_SET,
        target_id if isinstance(target_id, str) else None,
    )


def _retrieved(
    item: SetItem, target: SearchTarget, score: float, more: JsonObject, group: HitGroup | None
) -> RetrievedDocument:
    """Return a hit: what is known of it is laid over its metadata, `more` where there is something to say."""
    where: dict[str, Any] = {**target.returned_ids, "item_id": item.item_id, "position": item.position, "score": score}
    if target.build is not None and isinstance(target.returned, ChunkSet):
        where["chunk_item_id"] = item.item_id
    where |= {name: value for name, value in more.items() if value is not None and value != []}
    metadata = {**item.metadata, **where}
    return RetrievedDocument(page_content=item.content, metadata=metadata, score=score, group=group)


def request_of_params(params: JsonObject) -> RetrievalRequest:
    """Return the request that a stored run's `params` say."""
    return read_request(params)


def _results(page: RetrievalPage) -> JsonObject:
    next_cursor = None if page.next_offset is None else cursor_of(page.next_offset)
    results = {"items": [_result(item) for item in page.items], "total": page.total, "next_cursor": next_cursor}
    return results if page.map is None else {**results, "map": page.map.as_json()}


def _result(item: RetrievedDocument) -> JsonObject:
    shown = {"page_content": item.page_content, "metadata": dict(item.metadata), "score": item.score}
    return shown if item.group is None else {**shown, "group": item.group.as_json()}
