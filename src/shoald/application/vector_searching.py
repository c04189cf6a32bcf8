"""Searches among the embeddings of one index build."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shoald.domain.failures import EmbeddingFailed, InvalidFields
from shoald.domain.retrieval.hits import Hits, Positions
from shoald.domain.retrieval.mmr import most_relevant
from shoald.domain.vocabulary import EmbeddingProvider, SearchType

if TYPE_CHECKING:
    from shoald.application.asked_searches import Search
    from shoald.application.ports.embedder import Embedders
    from shoald.application.ports.vector_index import VectorIndexes
    from shoald.application.search_targets import SearchTarget
    from shoald.application.waiting import BriefPlaces
    from shoald.domain.records.index import Index, IndexBuild
    from shoald.domain.retrieval.strategies import VectorSearch, Where

# how many of the nearest `mmr` chooses from
_MMR_CANDIDATES, _MMR_CANDIDATES_PER_HIT = 20, 4
# a hit's vector is held while hits are ordered, and `mmr` compares each hit with all candidates
_MOST_HITS, _MOST_DIFFERING_HITS = 10_000, 500


class VectorSearches:
    """Embeds queries and asks the stores of vectors; `places` bound the brief calls that wait for an endpoint."""

    def __init__(self, *, vector_indexes: VectorIndexes, embedders: Embedders, places: BriefPlaces) -> None:
        self._vector_indexes = vector_indexes
        self._embedders = embedders
        self._places = places

    def hits(self, search: Search, strategy: VectorSearch, *, allowed: Positions | None, where: Where) -> Hits:
        """Return the hits among the `allowed` positions, best first; `where` names the strategy in errors."""
        _hits_wanted(strategy, search.target, where)  # what is refused asks no endpoint
        return self._nearest(search, strategy, self._embedded(search), allowed, where)

    def further(self, search: Search, strategy: VectorSearch, where: Where) -> Callable[..., Hits]:
        """Return what finds the k best among positions, as often as it is asked; the query is embedded once."""
        _hits_wanted(strategy, search.target, where)
        embedded = self._embedded(search)

        def find(k: int, allowed: Positions | None) -> Hits:
            search.patience.check("The search")
            return self._nearest(search, replace(strategy, k=k), embedded, allowed, where)

        return find

    def _nearest(
        self,
        search: Search,
        strategy: VectorSearch,
        embedded: npt.NDArray[np.float32],
        allowed: Positions | None,
        where: Where,
    ) -> Hits:
        target = search.target
        build, index = _parts_of(target)
        is_mmr = strategy.search_type == SearchType.MMR
        k = _hits_wanted(strategy, target, where)
        wanted = max(_MMR_CANDIDATES, k * _MMR_CANDIDATES_PER_HIT) if is_mmr else k
        found, vectors = self._vector_indexes.get(index.provider).search(
            build.manifest,
            embedded,
            k=min(wanted, target.items.total_items),
            allowed=allowed,
            with_vectors=is_mmr,
        )
        positions = np.asarray([hit.position for hit in found], dtype=np.int64)
        scores = np.asarray([hit.score for hit in found], dtype=np.float64)
        near = np.arange(len(found))
        if strategy.score_threshold is not None:
            near = near[scores >= strategy.score_threshold]
        if is_mmr and vectors is not None:
            near = near[most_relevant(embedded, vectors[near], k=k)]
        return Hits(positions[near[:k]], scores[near[:k]])

    def _embedded(self, search: Search) -> npt.NDArray[np.float32]:
        build, _ = _parts_of(search.target)
        manifest = build.manifest
        provider = manifest["embedding_provider"]
        embedder = self._embedders.get(provider, manifest["embedding_model_name"])
        is_elsewhere = provider == EmbeddingProvider.OPENAI
        with self._places.one(search.patience, "embedding their queries") if is_elsewhere else nullcontext():
            embedded = embedder.embed_query(search.query)
        if embedded.shape != (manifest["dimension"],):
            raise EmbeddingFailed(
                f"The query has {embedded.size} dimensions, the build {manifest['dimension']}.",
                detail={"build_id": build.build_id},
                hint="The embedding model has changed; build the index again.",
            )
        return embedded


def _parts_of(target: SearchTarget) -> tuple[IndexBuild, Index]:
    if target.build is None or target.index is None:
        raise TypeError("a target without a build has no vectors")
    return target.build, target.index


def _hits_wanted(strategy: VectorSearch, target: SearchTarget, where: Where) -> int:
    """Return k, at most the number of items; raises `InvalidFields` for more than a search by vectors can order."""
    k = min(strategy.k, target.items.total_items)
    most = _MOST_DIFFERING_HITS if strategy.search_type == SearchType.MMR else _MOST_HITS
    if k > most:
        message = f"Input should be less than or equal to {most}"
        raise InvalidFields.field(*where, "k", kind="less_than_equal", message=message, value=strategy.k)
    return k
