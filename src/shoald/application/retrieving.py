"""Retrieval: a query and a target go in, pages of the passages that answer it come out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoald.application.keyword_indexes import repository_of, set_id
from shoald.application.projects import visible_project
from shoald.application.search_targets import SearchTarget, find_target
from shoald.application.searching import Hit, Search, Searches, Strategy
from shoald.domain.cursors import cursor_of, offset_of
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.retrieval_run import RetrievalRun
from shoald.domain.records.segment_set import SetItem
from shoald.domain.vocabulary import RetrievalTarget

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork

DEFAULT_LIMIT = 20
_MOST_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRequest:
    """What to search for, where and how; `limit` is moved into 1 to 200, 0 means 20."""

    query: str
    strategy: Strategy
    target: str = RetrievalTarget.CHUNK_SET
    target_id: str | None = None
    persist: bool = False
    limit: int = DEFAULT_LIMIT
    offset: int = 0

    @property
    def page_size(self) -> int:
        """The limit as it is applied."""
        return min(max(self.limit, 1), _MOST_LIMIT) if self.limit else DEFAULT_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievedDocument:
    """One hit: its text, its item's metadata with the documented keys laid over it, and its score."""

    page_content: str
    metadata: JsonObject
    score: float


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


class Retrieving:
    """Finds passages in the projects of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, objects: ObjectStore, searches: Searches
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._searches = searches

    def retrieve(self, caller: Caller, project_id: str, request: RetrievalRequest) -> RetrievalPage:
        """Return one page, best hits first.

        Raises `ProjectNotFound`, `ChunkSetNotFound`, `SegmentSetNotFound`, `IndexBuildNotFound`, `IndexBuildNotReady`,
        `UnsupportedTarget`, `InvalidTarget`, `MissingTargetId`, `ProviderUnsupported`, and what a search meets.
        """
        target, hits = self._search(caller, project_id, request)
        page = self._page(request, target, hits)
        if request.persist:
            page = replace(page, run_id=self._store(project_id, request, page))
        return page

    def pages(self, caller: Caller, project_id: str, request: RetrievalRequest) -> Iterator[RetrievalPage]:
        """Yield pages until the last; the search is done once, before the first, which alone is stored."""
        target, hits = self._search(caller, project_id, request)
        while True:
            page = self._page(request, target, hits)
            if request.persist:
                page = replace(page, run_id=self._store(project_id, request, page))
            yield page
            if page.next_offset is None:
                return
            request = replace(request, offset=page.next_offset, persist=False)

    def _search(self, caller: Caller, project_id: str, request: RetrievalRequest) -> tuple[SearchTarget, Sequence[Hit]]:
        with self._open_unit_of_work() as uow:
            visible_project(uow, caller, project_id)
            target = find_target(uow, caller, project_id, request.strategy.type, request.target, request.target_id)
        search = Search(
            scope=(caller.namespace_id, project_id), target=target, strategy=request.strategy, query=request.query
        )
        return target, self._searches.hits(search)

    def _page(self, request: RetrievalRequest, target: SearchTarget, hits: Sequence[Hit]) -> RetrievalPage:
        end = request.offset + request.page_size
        wanted = hits[request.offset : end]
        with self._open_unit_of_work() as uow:
            items = repository_of(uow, target.items).items_at(set_id(target.items), [hit.position for hit in wanted])
        return RetrievalPage(
            items=[_retrieved(items[hit.position], hit, target) for hit in wanted if hit.position in items],
            next_offset=end if end < len(hits) else None,
            strategy=request.strategy.type,
            target=request.target,
            target_id=target.target_id,
            total=len(hits),
        )

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
            params=_params(request),
            results=results,
            artifact_uri=self._objects.uri(stored.key),
            is_deleted=False,
            created_at=self._clock.now(),
        )
        with self._open_unit_of_work() as uow:
            uow.retrieval_runs.add(run)
            uow.commit()
        return run_id


def _retrieved(item: SetItem, hit: Hit, target: SearchTarget) -> RetrievedDocument:
    where: dict[str, Any] = {"item_id": item.item_id, "position": item.position, "score": hit.score}
    if isinstance(target.items, ChunkSet):
        where["chunk_set_version_id"] = target.items.chunk_set_version_id
    else:
        where["segment_set_version_id"] = target.items.segment_set_version_id
    if target.build is not None:
        where |= {"chunk_item_id": item.item_id, "build_id": target.build.build_id}
    return RetrievedDocument(page_content=item.content, metadata={**item.metadata, **where}, score=hit.score)


def request_of_params(params: JsonObject) -> RetrievalRequest:
    """Return the request that a stored run's `params` say."""
    return RetrievalRequest(
        query=params["query"],
        strategy=Strategy(**params["strategy"]),
        target=params["target"],
        target_id=params["target_id"],
        persist=params["persist"],
        limit=params["limit"],
        offset=offset_of(params["cursor"] or ""),
    )


def _params(request: RetrievalRequest) -> JsonObject:
    strategy = request.strategy
    return {
        "query": request.query,
        "target": request.target,
        "target_id": request.target_id,
        "strategy": strategy.as_json(),
        "persist": request.persist,
        "limit": request.page_size,
        "cursor": cursor_of(request.offset) if request.offset else None,
    }


def _results(page: RetrievalPage) -> JsonObject:
    items = [
        {"page_content": item.page_content, "metadata": dict(item.metadata), "score": item.score} for item in page.items
    ]
    next_cursor = None if page.next_offset is None else cursor_of(page.next_offset)
    return {"items": items, "total": page.total, "next_cursor": next_cursor}
