"""Ways to search, each with its documented fields and defaults; `strategy_reading` makes them from JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import IdKey, RetrievalStrategy, SearchType

Where = tuple[str | int, ...]

DEFAULT_K = 10
DEFAULT_THRESHOLD = 80
DEFAULT_TOP_N = 5
DEFAULT_RERANKER = "BAAI/bge-reranker-base"
DEFAULT_DEVICE = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSearch:
    """The k nearest embeddings, those that reach `score_threshold` (a cosine) when one is given."""

    type: ClassVar[str] = RetrievalStrategy.VECTOR

    k: int = DEFAULT_K
    search_type: str = SearchType.SIMILARITY
    score_threshold: float | None = None

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {"type": self.type, **self.fields()}

    def fields(self) -> JsonObject:
        """Return the fields without the type."""
        return {"k": self.k, "search_type": self.search_type, "score_threshold": self.score_threshold}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordSearch:
    """The k best texts that have words of the query."""

    type: ClassVar[str] = RetrievalStrategy.BM25

    k: int = DEFAULT_K

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {"type": self.type, "k": self.k}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexSearch:
    """Texts that a regular expression matches somewhere; None looks for the query literally."""

    type: ClassVar[str] = RetrievalStrategy.REGEX

    pattern: str | None = None

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {"type": self.type, "pattern": self.pattern}


@dataclass(frozen=True, slots=True, kw_only=True)
class FuzzySearch:
    """Texts with a passage whose likeness to the query reaches `threshold`, 0 to 100."""

    type: ClassVar[str] = RetrievalStrategy.FUZZY

    threshold: int = DEFAULT_THRESHOLD

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {"type": self.type, "threshold": self.threshold}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsembleSearch:
    """Several searches, their ranks fused; as many `weights` as `sources`."""

    type: ClassVar[str] = RetrievalStrategy.ENSEMBLE

    sources: tuple[Strategy, ...]
    weights: tuple[float, ...]

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {
            "type": self.type,
            "sources": [source.as_json() for source in self.sources],
            "weights": list(self.weights),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RerankSearch:
    """The hits of another search, put in the order of a reranking model; the `top_n` first of them."""

    type: ClassVar[str] = RetrievalStrategy.RERANK

    base: Strategy
    model_name: str = DEFAULT_RERANKER
    top_n: int = DEFAULT_TOP_N
    device: str = DEFAULT_DEVICE

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {
            "type": self.type,
            "base": self.base.as_json(),
            "model_name": self.model_name,
            "top_n": self.top_n,
            "device": self.device,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DualStorageSearch:
    """Chunks found by their vectors; `id_key` says whether they or the segments that they came from are returned."""

    type: ClassVar[str] = RetrievalStrategy.DUAL_STORAGE

    vector_search: VectorSearch = VectorSearch()
    id_key: str = IdKey.SEGMENT

    @property
    def returns_segments(self) -> bool:
        """Whether hits are segments, each once."""
        return self.id_key == IdKey.SEGMENT

    def as_json(self) -> JsonObject:
        """Return all fields, as a request could have them."""
        return {"type": self.type, "vector_search": self.vector_search.fields(), "id_key": self.id_key}


Strategy = VectorSearch | KeywordSearch | RegexSearch | FuzzySearch | EnsembleSearch | RerankSearch | DualStorageSearch


def legs(strategy: Strategy) -> Iterator[Strategy]:
    """Yield a strategy and all those within it."""
    return (leg for _, leg in placed_legs(strategy))


def placed_legs(strategy: Strategy, *where: str | int) -> Iterator[tuple[Where, Strategy]]:
    """Yield a strategy and all those within it, each with its place as errors name it, from `where` on.

    >>> [".".join(map(str, place)) for place, _ in placed_legs(RerankSearch(base=FuzzySearch()), "body")]
    ['body.rerank', 'body.rerank.base.fuzzy']
    """
    place = (*where, strategy.type)
    yield place, strategy
    if isinstance(strategy, EnsembleSearch):
        for at, source in enumerate(strategy.sources):
            yield from placed_legs(source, *place, "sources", at)
    elif isinstance(strategy, RerankSearch):
        yield from placed_legs(strategy.base, *place, "base")


def needs_vectors(strategy: Strategy) -> bool:
    """Say whether a strategy, or one within it, searches vectors."""
    return any(isinstance(leg, VectorSearch | DualStorageSearch) for leg in legs(strategy))


def returns_segments(strategy: Strategy) -> bool:
    """Say whether the hits of a strategy are the segments that chunks came from."""
    return any(isinstance(leg, DualStorageSearch) and leg.returns_segments for leg in legs(strategy))
