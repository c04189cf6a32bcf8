"""Searches: positions of the best items of a target, with scores, best first; asked for again, from the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from shoald.application.keyword_indexes import KeywordIndexes
from shoald.application.search_targets import SearchTarget
from shoald.domain.failures import EmbeddingFailed, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.mmr import most_relevant
from shoald.domain.vocabulary import RetrievalStrategy, SearchType

if TYPE_CHECKING:
    from shoald.application.ports.embedder import Embedders
    from shoald.application.ports.result_cache import ResultCache
    from shoald.application.ports.vector_index import VectorHit, VectorIndexes

DEFAULT_K = 10
# how many of the nearest `mmr` chooses from
_MMR_CANDIDATES, _MMR_CANDIDATES_PER_HIT = 20, 4
_MOST_CACHED = 20_000
# a hit's vector is held while hits are ordered, and `mmr` compares each hit with all candidates
_MOST_HITS, _MOST_DIFFERING_HITS = 10_000, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How to search; `search_type` and `score_threshold` mean something to `vector` only."""

    type: str
    k: int = DEFAULT_K
    search_type: str = SearchType.SIMILARITY
    score_threshold: float | None = None

    def as_json(self) -> JsonObject:
        """Return the fields that the type has."""
        shown: dict[str, Any] = {"type": self.type, "k": self.k}
        if self.type == RetrievalStrategy.VECTOR:
            shown |= {"search_type": self.search_type, "score_threshold": self.score_threshold}
        return shown


@dataclass(frozen=True, slots=True)
class Hit:
    """The position of an item in its set, and its score: larger is better."""

    position: int
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One search; `scope` is whose it is, so that nobody is answered from another's cache."""

    scope: tuple[str, str]
    target: SearchTarget
    strategy: Strategy
    query: str

    @property
    def key(self) -> str:
        """What the cache knows its result by. Sets and builds never change, so the id stands for what is in them."""
        asked = [*self.scope, self.target.target_id, self.strategy.as_json(), self.query]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


class Searches:
    """Runs searches of every strategy."""

    def __init__(
        self,
        *,
        keyword_indexes: KeywordIndexes,
        vector_indexes: VectorIndexes,
        embedders: Embedders,
        cache: ResultCache,
    ) -> None:
        self._keyword_indexes = keyword_indexes
        self._vector_indexes = vector_indexes
        self._embedders = embedders
        self._cache = cache

    def hits(self, search: Search) -> Sequence[Hit]:
        """Return all hits, at most k, best first; ties by position."""
        known = self._cache.get(search.key)
        if known is not None:
            return [Hit(position, score) for position, score in orjson.loads(known)]
        hits = self._by_vectors(search) if search.target.build is not None else self._by_words(search)
        if len(hits) <= _MOST_CACHED:
            self._cache.put(search.key, orjson.dumps([(hit.position, hit.score) for hit in hits]))
        return hits

    def _by_words(self, search: Search) -> list[Hit]:
        index = self._keyword_indexes.of(search.target.items)
        return [Hit(position, score) for position, score in index.search(search.query, k=search.strategy.k)]

    def _by_vectors(self, search: Search) -> list[Hit]:
        strategy, build, index = search.strategy, search.target.build, search.target.index
        if build is None or index is None:
            raise TypeError("a target without a build has no vectors")
        k = _hits_wanted(search)
        manifest = build.manifest
        embedder = self._embedders.get(manifest["embedding_provider"], manifest["embedding_model_name"])
        query = embedder.embed_query(search.query)
        if query.shape != (manifest["dimension"],):
            raise EmbeddingFailed(
                f"The query has {query.size} dimensions, the build {manifest['dimension']}.",
                detail={"build_id": build.build_id},
                hint="The embedding model has changed; build the index again.",
            )
        is_mmr = strategy.search_type == SearchType.MMR
        wanted = max(_MMR_CANDIDATES, k * _MMR_CANDIDATES_PER_HIT) if is_mmr else k
        found, vectors = self._vector_indexes.get(index.provider).search(
            manifest, query, k=min(wanted, search.target.items.total_items), with_vectors=is_mmr
        )
        near = [row for row, hit in enumerate(found) if _reaches(hit, strategy.score_threshold)]
        if is_mmr and vectors is not None and near:
            near = [near[row] for row in most_relevant(query, vectors[np.asarray(near)], k=k)]
        return [Hit(found[row].position, found[row].score) for row in near[:k]]


def _hits_wanted(search: Search) -> int:
    """Return k, at most the number of items; raises `InvalidFields` for more than a search by vectors can order."""
    strategy = search.strategy
    k = min(strategy.k, search.target.items.total_items)
    most = _MOST_DIFFERING_HITS if strategy.search_type == SearchType.MMR else _MOST_HITS
    if k > most:
        message = f"Input should be less than or equal to {most}"
        place = ("body", "strategy", strategy.type, "k")
        raise InvalidFields.field(*place, kind="less_than_equal", message=message, value=strategy.k)
    return k


def _reaches(hit: VectorHit, threshold: float | None) -> bool:
    return threshold is None or hit.score >= threshold
