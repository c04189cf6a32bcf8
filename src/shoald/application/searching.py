"""Searches: positions of the best items of a target, with scores, best first; asked for again, from the cache."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from shoald.application.allowed_positions import AllowedPositions
from shoald.application.asked_searches import Search
from shoald.application.kept_arrays import KeptArrays
from shoald.application.keyword_indexes import KeywordIndexes, OpenKeywordIndex
from shoald.application.ports.text_search import QueryTooLong, TextPattern, TextSearch, UnusablePattern
from shoald.application.reranking import MOST_CANDIDATES
from shoald.application.vector_searching import VectorSearches
from shoald.domain.failures import InvalidFields
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.retrieval.fusion import fused
from shoald.domain.retrieval.grouped_hits import Find, spread, spread_to
from shoald.domain.retrieval.hits import Hits, Positions
from shoald.domain.retrieval.run_groups import Numbers
from shoald.domain.retrieval.strategies import (
    DualStorageSearch,
    EnsembleSearch,
    FuzzySearch,
    KeywordSearch,
    RegexSearch,
    RerankSearch,
    Strategy,
    VectorSearch,
    Where,
    legs,
    placed_legs,
)
from shoald.domain.vocabulary import SearchType

if TYPE_CHECKING:
    from shoald.application.ports.result_cache import ResultCache
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.reranking import Reranking

PLACE: Where = ("body", "strategy")
_MOST_SPANS, _SPANS_SECONDS = 100, 5.0


class Searches:
    """Runs searches of every strategy; a filter holds for each search within another."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        keyword_indexes: KeywordIndexes,
        text_search: TextSearch,
        vectors: VectorSearches,
        reranking: Reranking,
        cache: ResultCache,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._keyword_indexes = keyword_indexes
        self._text_search = text_search
        self._vectors = vectors
        self._reranking = reranking
        self._allowed = AllowedPositions(open_unit_of_work)
        self._sources = KeptArrays()
        self._cache = cache

    def hits(self, search: Search) -> Hits:
        """Return all hits, best first; equal scores stand by position.

        Raises `InvalidFields` for a pattern or filter that cannot be used, `DeadlineExceeded`, and what stores and
        models raise.
        """
        known = self._cache.get(search.key)
        if known is not None:
            return Hits.from_bytes(known)
        hits, _ = self._anew(search)
        self._cache.put(search.key, hits.to_bytes())
        return hits

    def hits_and_every(self, search: Search) -> tuple[Hits, Hits]:
        """Return what `hits` does, and what there was before groups gave any up: both by one search.

        Raises what `hits` raises.
        """
        if search.map is None or search.map.most is None:
            hits = self.hits(search)
            return hits, hits
        keys = search.key, search.without_most().key
        known = [Hits.from_bytes(one) for one in map(self._cache.get, keys) if one is not None]
        if len(known) == len(keys):
            return known[0], known[1]
        found = self._anew(search)
        for key, hits in zip(keys, found, strict=True):
            self._cache.put(key, hits.to_bytes())
        return found

    def growing(self, search: Search) -> Iterator[tuple[Hits, bool]]:
        """Yield hits from the best on, more each time, and whether these are all.

        What `regex` finds stands by position, so that its best are known before all texts are searched; every other
        strategy knows none before it knows all. Raises what `hits` raises; one that is closed searches no further.
        """
        is_spread = search.map is not None and search.map.most is not None
        if is_spread or not isinstance(search.strategy, RegexSearch) or self._cache.get(search.key) is not None:
            yield self.hits(search), True
            return
        allowed = self._allowed_of(search)
        found = [np.zeros(0, np.int64)]
        for positions in self._matching(search, search.strategy, allowed, (*PLACE, search.strategy.type)):
            search.patience.check("The search")
            if len(positions):
                found = [np.concatenate([*found, positions])]
                yield _matched(found[0]), False
        self._cache.put(search.key, _matched(found[0]).to_bytes())
        yield _matched(found[0]), True

    def check_patterns(self, strategy: Strategy, *where: str | int) -> None:
        """Raise `InvalidFields` for a pattern of a strategy that cannot be used wherever it searches."""
        for place, leg in placed_legs(strategy, *where):
            if isinstance(leg, RegexSearch):
                self._pattern("", leg, place)

    def spans(self, search: Search, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Return where the patterns of a search match in texts that it found, up to 100 places in each.

        After five seconds, the places in texts further down are left out.
        """
        wanted = [leg for leg in legs(search.strategy) if isinstance(leg, RegexSearch)]
        patterns = [self._pattern(search.query, leg, PLACE) for leg in wanted]
        until = time.monotonic() + _SPANS_SECONDS
        return [_spans(patterns, text) if time.monotonic() < until else [] for text in texts]

    def _allowed_of(self, search: Search) -> Positions | None:
        allowed = self._allowed.of(search.target, search.filter)
        return allowed if search.map is None else search.map.within(allowed)

    def _anew(self, search: Search) -> tuple[Hits, Hits]:
        """Return the hits of which no group has more than the search allows, and those of any number."""
        allowed, where = self._allowed_of(search), (*PLACE, search.strategy.type)
        if search.map is None or search.map.most is None:
            found = self._found(search, search.strategy, allowed, where)
            return found, found
        return self._spread(search, search.map.numbers, search.map.most, allowed, where)

    def _spread(
        self, search: Search, numbers: Numbers, most: int, allowed: Positions | None, where: Where
    ) -> tuple[Hits, Hits]:
        """Return the hits with at most so many of a group, and all; others move up where the strategy ends."""
        strategy = search.strategy
        if isinstance(strategy, RerankSearch):
            ranked = self._reranked(search, replace(strategy, top_n=MOST_CANDIDATES), allowed, where)
            return spread(ranked, numbers, most=most).part(0, strategy.top_n), ranked.part(0, strategy.top_n)
        find, k = self._going_on(search, where)
        if find is not None:
            return spread_to(find, numbers, allowed, most=most, k=min(k, len(numbers)))
        found = self._found(search, strategy, allowed, where)
        return spread(found, numbers, most=most), found

    def _going_on(self, search: Search, where: Where) -> tuple[Find | None, int]:
        """Return what searches on behind the k best, and k; nothing where all hits are found at once."""
        strategy = search.strategy
        if isinstance(strategy, KeywordSearch):
            words = self._index(search).words
            return lambda k, allowed: Hits(*words.search(search.query, k=k, allowed=allowed)), strategy.k
        if isinstance(strategy, DualStorageSearch) and (
            not strategy.returns_segments or isinstance(search.target.items, SegmentSet)
        ):
            strategy, where = strategy.vector_search, (*where, "vector_search")
        if isinstance(strategy, VectorSearch) and strategy.search_type != SearchType.MMR:
            return self._vectors.further(search, strategy, where), strategy.k
        return None, 0

    def _found(  # noqa: PLR0911 - one for each strategy
        self, search: Search, strategy: Strategy, allowed: Positions | None, where: Where
    ) -> Hits:
        search.patience.check("The search")
        match strategy:
            case VectorSearch():
                return self._vectors.hits(search, strategy, allowed=allowed, where=where)
            case KeywordSearch():
                return Hits(*self._index(search).words.search(search.query, k=strategy.k, allowed=allowed))
            case RegexSearch():
                return self._by_pattern(search, strategy, allowed, where)
            case FuzzySearch():
                return self._by_likeness(search, strategy, allowed)
            case EnsembleSearch():
                return self._by_all(search, strategy, allowed, where)
            case RerankSearch():
                return self._reranked(search, strategy, allowed, where)
            case DualStorageSearch():
                return self._by_chunks(search, strategy, allowed, where)

    def _index(self, search: Search) -> OpenKeywordIndex:
        return self._keyword_indexes.of(search.target.items, search.scope[0], search.patience)

    def _by_likeness(self, search: Search, strategy: FuzzySearch, allowed: Positions | None) -> Hits:
        texts = self._index(search).texts
        try:
            return Hits.ordered(*texts.alike(search.query, threshold=strategy.threshold, allowed=allowed))
        except QueryTooLong as error:
            message = f"Value error, the query {error}"
            raise InvalidFields.field("body", "query", message=message, value=search.query[:100]) from error

    def _by_pattern(self, search: Search, strategy: RegexSearch, allowed: Positions | None, where: Where) -> Hits:
        found = self._matching(search, strategy, allowed, where)
        return _matched(np.concatenate([np.zeros(0, np.int64), *found]))

    def _matching(
        self, search: Search, strategy: RegexSearch, allowed: Positions | None, where: Where
    ) -> Iterator[Positions]:
        pattern = self._pattern(search.query, strategy, where)
        if strategy.pattern is None and not search.query:
            return
        try:
            yield from self._index(search).texts.matching_in_turn(pattern, allowed=allowed)
        except UnusablePattern as error:
            raise _unusable(strategy, where, error) from error

    def _pattern(self, query: str, strategy: RegexSearch, where: Where) -> TextPattern:
        try:
            if strategy.pattern is None:
                return self._text_search.pattern(query, literal=True)
            return self._text_search.pattern(strategy.pattern)
        except UnusablePattern as error:
            raise _unusable(strategy, where, error) from error

    def _by_all(self, search: Search, strategy: EnsembleSearch, allowed: Positions | None, where: Where) -> Hits:
        found = [
            self._found(search, source, allowed, (*where, "sources", at, source.type))
            for at, source in enumerate(strategy.sources)
        ]
        return fused([hits.positions for hits in found], strategy.weights)

    def _reranked(self, search: Search, strategy: RerankSearch, allowed: Positions | None, where: Where) -> Hits:
        model = self._reranking.model(strategy)
        base = self._found(search, strategy.base, allowed, (*where, "base", strategy.base.type))
        best = model.best(search.target.returned, search.query, base.positions.tolist(), search.patience)
        rows = np.asarray([hit.candidate for hit in best], dtype=np.int64)
        found = base.rows(rows)
        return Hits(found.positions, np.asarray([hit.score for hit in best], float), found.scores, found.found_by)

    def _by_chunks(self, search: Search, strategy: DualStorageSearch, allowed: Positions | None, where: Where) -> Hits:
        """Find chunks and return them, or the segments that they came from, each once with its best chunk's score."""
        target = search.target
        chunks = self._vectors.hits(search, strategy.vector_search, allowed=allowed, where=(*where, "vector_search"))
        if not strategy.returns_segments or isinstance(target.items, SegmentSet):  # its index may hold segments
            return chunks
        sources = self._sources.get(target.items_id, lambda: self._sources_of(target.items_id))[chunks.positions]
        known = chunks.rows(np.flatnonzero(sources >= 0))
        segments, best = np.unique(sources[sources >= 0], return_index=True)  # the first: chunks stand best first
        return Hits.ordered(segments, known.scores[best], known.positions[best])

    def _sources_of(self, chunk_set_id: str) -> Positions:
        with self._open_unit_of_work(reading=True) as uow:
            return uow.chunk_sets.source_positions(chunk_set_id)


def _matched(positions: Positions) -> Hits:
    return Hits(positions, np.ones(len(positions)))


def _spans(patterns: Sequence[TextPattern], text: str) -> list[tuple[int, int]]:
    found = {span for pattern in patterns for span in pattern.spans(text, most=_MOST_SPANS)}
    return sorted(found)[:_MOST_SPANS]


def _unusable(strategy: RegexSearch, where: Where, error: UnusablePattern) -> InvalidFields:
    message = f"Value error, the pattern {error}"
    return InvalidFields.field(*where, "pattern", message=message, value=strategy.pattern)
