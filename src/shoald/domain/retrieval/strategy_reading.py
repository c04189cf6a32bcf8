"""Reads strategies from JSON: of requests, presets and stored runs; what is wrong is named where it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shoald.domain.failures import InvalidEnsembleSources, InvalidFields
from shoald.domain.retrieval.strategies import (
    DEFAULT_DEVICE,
    DEFAULT_K,
    DEFAULT_RERANKER,
    DEFAULT_THRESHOLD,
    DEFAULT_TOP_N,
    DualStorageSearch,
    EnsembleSearch,
    FuzzySearch,
    KeywordSearch,
    RegexSearch,
    RerankSearch,
    Strategy,
    VectorSearch,
    Where,
    returns_segments,
)
from shoald.domain.vocabulary import IdKey, RetrievalStrategy, SearchType

MOST_SOURCES = 10
MOST_NESTED = 3
_LONGEST_PATTERN = 1000
_MOST_INT = 2**31 - 1

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Defaults:
    """What fields mean that are left out; they depend on where a strategy stands."""

    keyword_k: int
    threshold: int
    needs_pattern: bool


ALONE = Defaults(keyword_k=DEFAULT_K, threshold=DEFAULT_THRESHOLD, needs_pattern=True)
SOURCE = Defaults(keyword_k=8, threshold=75, needs_pattern=False)
BASE = Defaults(keyword_k=20, threshold=75, needs_pattern=False)


def read_strategy(given: Any, *where: str | int, within: Given | None = None) -> Strategy:
    """Return the strategy that JSON says; raises `InvalidFields` with the place below `where`.

    `within` is what should have it, for the error that it is missing there. Raises `InvalidEnsembleSources` for
    sources that cannot be fused.
    """
    if given is None:
        raise _missing(within, *(where or ("body", "strategy")))
    return _read(given, where or ("body", "strategy"), ALONE, 0)


def _read(given: Any, where: Where, defaults: Defaults, depth: int) -> Strategy:
    if not isinstance(given, Mapping):
        raise InvalidFields.field(*where, kind="dict_type", message="Input should be an object", value=given)
    kind = given.get("type")
    if kind is None:
        message = "Unable to extract tag using discriminator 'type'"
        raise InvalidFields.field(*where, kind="union_tag_not_found", message=message, value=dict(given))
    if not isinstance(kind, str) or kind not in set(RetrievalStrategy):
        known = ", ".join(f"'{word}'" for word in RetrievalStrategy)
        message = f"Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}"
        raise InvalidFields.field(*where, kind="union_tag_invalid", message=message, value=dict(given))
    fields = _Fields(given, (*where, kind))
    if kind == RetrievalStrategy.ENSEMBLE:
        return _ensemble(fields, depth)
    if kind == RetrievalStrategy.RERANK:
        return _rerank(fields, depth)
    if kind == RetrievalStrategy.DUAL_STORAGE:
        return _dual_storage(fields)
    return _single(kind, fields, defaults)


def _single(kind: str, fields: _Fields, defaults: Defaults) -> Strategy:
    if kind == RetrievalStrategy.VECTOR:
        return _vector(fields)
    if kind == RetrievalStrategy.BM25:
        return KeywordSearch(k=fields.number("k", defaults.keyword_k, least=1))
    if kind == RetrievalStrategy.REGEX:
        return RegexSearch(pattern=fields.pattern(needed=defaults.needs_pattern))
    return FuzzySearch(threshold=fields.number("threshold", defaults.threshold, least=0, most=100))


def _vector(fields: _Fields) -> VectorSearch:
    return VectorSearch(
        k=fields.number("k", DEFAULT_K, least=1),
        search_type=fields.word("search_type", SearchType.SIMILARITY),
        score_threshold=fields.real("score_threshold"),
    )


def _rerank(fields: _Fields, depth: int) -> RerankSearch:
    _check_depth(fields.where, depth)
    if fields.given.get("base") is None:
        raise _missing(fields.given, *fields.where, "base")
    return RerankSearch(
        base=_read(fields.given["base"], (*fields.where, "base"), BASE, depth + 1),
        model_name=fields.text("model_name", DEFAULT_RERANKER),
        top_n=fields.number("top_n", DEFAULT_TOP_N, least=1),
        device=fields.text("device", DEFAULT_DEVICE),
    )


def _dual_storage(fields: _Fields) -> DualStorageSearch:
    search = fields.given.get("vector_search") or {}
    where = (*fields.where, "vector_search")
    if not isinstance(search, Mapping):
        raise InvalidFields.field(*where, kind="dict_type", message="Input should be an object", value=search)
    return DualStorageSearch(vector_search=_vector(_Fields(search, where)), id_key=fields.word("id_key", IdKey.SEGMENT))


def _ensemble(fields: _Fields, depth: int) -> EnsembleSearch:
    _check_depth(fields.where, depth)
    given = fields.given.get("sources") or [{"type": kind} for kind in ("bm25", "regex", "fuzzy")]
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MOST_SOURCES:
        raise InvalidEnsembleSources(f"sources must be a list of at most {MOST_SOURCES} strategies.")
    where = (*fields.where, "sources")
    sources = tuple(_source(source, (*where, at), depth + 1) for at, source in enumerate(given))
    return EnsembleSearch(sources=sources, weights=_weights(fields.given.get("weights"), len(sources)))


def _source(given: Any, where: Where, depth: int) -> Strategy:
    kind = given.get("type") if isinstance(given, Mapping) else None
    if not isinstance(kind, str) or kind not in set(RetrievalStrategy):
        raise InvalidEnsembleSources(
            f"Source {where[-1]} has no type of a strategy: {kind!r}",
            detail={"source": where[-1], "type": kind},
            hint=f"Known types: {', '.join(RetrievalStrategy)}.",
        )
    found = _read(given, where, SOURCE, depth)
    if returns_segments(found):
        raise InvalidEnsembleSources(
            "A dual_storage strategy in a source returns segments, which cannot be fused with chunks.",
            detail={"source": where[-1], "type": kind},
            hint="Set its id_key to item_id, so that it returns chunks.",
        )
    return found


def _weights(given: Any, count: int) -> tuple[float, ...]:
    if not given:
        return (1 / count,) * count
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    if not is_list or len(given) != count:
        have = len(given) if is_list else 0
        raise InvalidEnsembleSources(
            f"There are {count} sources, but {have} weights.", detail={"sources": count, "weights": have}
        )
    if not all(_is_number(weight) and weight >= 0 for weight in given):
        raise InvalidEnsembleSources("weights must be numbers from 0.", detail={"weights": list(given)})
    return tuple(map(float, given))


def _missing(within: Given | None, *where: str | int) -> InvalidFields:
    shown = None if within is None else dict(within)
    return InvalidFields.field(*where, kind="missing", message="Field required", value=shown)


def _check_depth(where: Where, depth: int) -> None:
    if depth >= MOST_NESTED:
        raise InvalidFields.field(*where, message=f"Value error, strategies nest at most {MOST_NESTED} deep")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of one strategy, read one by one; null is as if left out."""

    given: Given
    where: Where

    def _wrong(self, name: str, kind: str, message: str) -> InvalidFields:
        return InvalidFields.field(*self.where, name, kind=kind, message=message, value=self.given.get(name))

    def number(self, name: str, default: int, *, least: int, most: int = _MOST_INT) -> int:
        value = self.given.get(name)
        if value is None:
            return default
        if not _is_number(value) or value != int(value):
            raise self._wrong(name, "int_type", "Input should be a valid integer")
        if value < least:
            raise self._wrong(name, "greater_than_equal", f"Input should be greater than or equal to {least}")
        if value > most:
            raise self._wrong(name, "less_than_equal", f"Input should be less than or equal to {most}")
        return int(value)

    def real(self, name: str) -> float | None:
        value = self.given.get(name)
        if value is not None and not _is_number(value):
            raise self._wrong(name, "float_type", "Input should be a valid number")
        return None if value is None else float(value)

    def text(self, name: str, default: str) -> str:
        value = self.given.get(name)
        if value is not None and not isinstance(value, str):
            raise self._wrong(name, "string_type", "Input should be a valid string")
        return default if value is None else value

    def word(self, name: str, default: StrEnum) -> str:
        value, words = self.text(name, default), list(type(default))
        if value not in words:
            *first, last = (f"'{word}'" for word in words)
            raise self._wrong(name, "enum", f"Input should be {', '.join(first)} or {last}")
        return value

    def pattern(self, *, needed: bool) -> str | None:
        if self.given.get("pattern") is None:
            if needed:
                raise _missing(self.given, *self.where, "pattern")
            return None
        value = self.text("pattern", "")
        if len(value) > _LONGEST_PATTERN:
            message = f"String should have at most {_LONGEST_PATTERN} characters"
            raise self._wrong("pattern", "string_too_long", message)
        return value
