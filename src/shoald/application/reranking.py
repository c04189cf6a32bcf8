"""Reranking: the hits of any search go in, by position, the best of them by a reranking model come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.keyword_indexing import AnySet, repository_of, set_id
from shoald.domain.retrieval.strategies import EnsembleSearch, FuzzySearch, RegexSearch, RerankSearch

if TYPE_CHECKING:
    from shoald.application.ports.reranker import Reranker, Rerankers
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.waiting import BriefPlaces, Patience

# how many hits of the base a model reads: a base says itself by its k how many it wants read, up to the first number,
# and one without a k, which may find everything there is, is read up to the second
MOST_CANDIDATES, MOST_UNBOUNDED_CANDIDATES = 1000, 100
_FASTER = "The fewer hits the base gives (its k), the fewer the model reads; RetrieveStream waits longer."
_WITHOUT_K = (RegexSearch, FuzzySearch, EnsembleSearch)


@dataclass(frozen=True, slots=True)
class RerankedHit:
    """Which of the candidates, and the model's score; larger is better."""

    candidate: int
    score: float


@dataclass(frozen=True, slots=True)
class RerankingModel:
    """A model that is there, for one strategy."""

    open_unit_of_work: OpenUnitOfWork
    strategy: RerankSearch
    reranker: Reranker
    places: BriefPlaces

    @property
    def most_candidates(self) -> int:
        """How many hits of the base it reads, from the best."""
        return MOST_UNBOUNDED_CANDIDATES if isinstance(self.strategy.base, _WITHOUT_K) else MOST_CANDIDATES

    def best(self, items: AnySet, query: str, positions: Sequence[int], patience: Patience) -> list[RerankedHit]:
        """Return the `top_n` best of the items at these positions; equal scores stand as the base has them.

        Raises what the reranker raises, `DeadlineExceeded`, and `Busy` for a brief call when too many of them rerank.
        One pass of the model for each candidate.
        """
        with self.places.one(patience, "reranking"):
            return self._best(items, query, positions, patience)

    def _best(self, items: AnySet, query: str, positions: Sequence[int], patience: Patience) -> list[RerankedHit]:
        candidates = positions[: self.most_candidates]
        with self.open_unit_of_work() as uow:
            found = repository_of(uow, items).items_at(set_id(items), candidates)
        there = [number for number, position in enumerate(candidates) if position in found]

        def check(done: int) -> None:
            patience.check(f"Reranking {len(there)} passages, of which the model read {done},", hint=_FASTER)

        scores = self.reranker.scores(query, [found[candidates[number]].content for number in there], check)
        ranked = [RerankedHit(number, score) for number, score in zip(there, scores, strict=True)]
        ranked.sort(key=lambda hit: -hit.score)  # stable: ties keep the base's order
        return ranked[: self.strategy.top_n]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranking:
    """Finds models for strategies."""

    open_unit_of_work: OpenUnitOfWork
    rerankers: Rerankers
    places: BriefPlaces

    def model(self, strategy: RerankSearch) -> RerankingModel:
        """Return the strategy's model; raises `MissingDependency` for a model or a device that is not there.

        Ask before the base is searched, which may take its time.
        """
        reranker = self.rerankers.get(strategy.model_name, strategy.device)
        return RerankingModel(self.open_unit_of_work, strategy, reranker, self.places)
