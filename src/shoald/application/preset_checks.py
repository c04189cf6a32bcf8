"""What a project's settings say of presets goes in; what no call could use is refused, where it stands in the body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoald.application.presets import CHUNKING, RETRIEVAL, presets_of
from shoald.domain.chunking import FindEmbedding, chunker
from shoald.domain.failures import InvalidChunkerParams, InvalidEnsembleSources, InvalidFields, MissingDependency
from shoald.domain.filters import parse_filter
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.strategies import Strategy, Where
from shoald.domain.retrieval.strategy_reading import read_strategy
from shoald.domain.vocabulary import ChunkStrategy, RetrievalStrategy, RetrievalTarget

if TYPE_CHECKING:
    from typing import Protocol

    class CheckPatterns(Protocol):
        """Raises `InvalidFields` for a pattern of a strategy, which stands at `where`, that cannot be used."""

        def __call__(self, strategy: Strategy, *where: str | int) -> None:
            """Check one."""
            ...


_TEXT = (str, "string_type", "Input should be a valid string")
_OBJECT = (dict, "dict_type", "Input should be a valid dictionary")
_KINDS: Mapping[str, Mapping[str, tuple[type, str, str]]] = {
    CHUNKING: {"strategy": _TEXT, "chunker_params": _OBJECT},
    RETRIEVAL: {
        "strategy": _OBJECT,
        "target": _TEXT,
        "limit": (int, "int_type", "Input should be a valid integer"),
        "filter": _OBJECT,
    },
}
# what a preset may leave to the call, though the strategy needs it, with something that does for the check
_LEFT_TO_CALLS: Mapping[str, JsonObject] = {
    RetrievalStrategy.REGEX: {"pattern": "a"},
    RetrievalStrategy.RERANK: {"base": {"type": RetrievalStrategy.BM25.value}},
}
_LEFT_TO_CHUNK_CALLS: Mapping[str, JsonObject] = {ChunkStrategy.REGEX: {"pattern": "a"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetChecks:
    """Checks presets as the calls that they fill would: those that a default names, when settings are saved."""

    find_embedding: FindEmbedding
    check_patterns: CheckPatterns

    def check(self, settings: JsonObject) -> None:
        """Raise `InvalidFields` for a default that names no preset, and for a preset that makes every call fail.

        What a strategy needs may be left to the calls. An embedder that is known but not set up is no fault of it.
        """
        checks: Mapping[str, Callable[[JsonObject, Where], None]] = {
            CHUNKING: self._check_chunking,
            RETRIEVAL: self._check_retrieval,
        }
        for default, check in checks.items():
            name = settings[default]
            if name is not None:
                place = ("body", "settings", "extra", "presets", name)
                preset = _named(settings, default, name, place)
                _check_kinds(preset, _KINDS[default], place)
                check({member: value for member, value in preset.items() if value is not None}, place)

    def _check_chunking(self, preset: JsonObject, place: Where) -> None:
        strategy = str(preset.get("strategy", ChunkStrategy.RECURSIVE)).lower()
        if strategy not in set(ChunkStrategy):
            message = f"Value error, the chunk strategies are: {', '.join(ChunkStrategy)}"
            raise InvalidFields.field(*place, "strategy", message=message, value=preset["strategy"])
        params = {**_LEFT_TO_CHUNK_CALLS.get(strategy, {}), **preset.get("chunker_params", {})}
        try:
            chunker(strategy, params, find_embedding=self.find_embedding)
        except InvalidChunkerParams as failure:
            name = str(failure.detail.get("parameter", ""))
            message = f"Value error, {failure.message}"
            where = (*place, "chunker_params", *([name] if name else []))
            raise InvalidFields.field(*where, message=message, value=params.get(name)) from failure
        except MissingDependency:
            return

    def _check_retrieval(self, preset: JsonObject, place: Where) -> None:
        parse_filter(preset.get("filter"), *place, "filter")
        if preset.get("target", RetrievalTarget.CHUNK_SET) not in set(RetrievalTarget):
            message = f"Value error, the targets are: {', '.join(RetrievalTarget)}"
            raise InvalidFields.field(*place, "target", message=message, value=preset["target"])
        if "strategy" in preset:
            self._check_strategy(preset["strategy"], (*place, "strategy"))

    def _check_strategy(self, given: JsonObject, where: Where) -> None:
        kind = given.get("type")
        left_out = _LEFT_TO_CALLS.get(kind, {}) if isinstance(kind, str) else {}
        filled = {**left_out, **{name: value for name, value in given.items() if value is not None}}
        try:
            self.check_patterns(read_strategy(filled, *where), *where)
        except InvalidEnsembleSources as failure:
            message = f"Value error, {failure.message}"
            raise InvalidFields.field(*where, *_place_of(failure, given), message=message) from failure


def _place_of(failure: InvalidEnsembleSources, given: JsonObject) -> Where:
    """Return where in an ensemble its fault stands; the fault of an ensemble within another strategy is that one's."""
    if given.get("type") != RetrievalStrategy.ENSEMBLE:
        return (str(given["type"]),)
    if "weights" in failure.detail:
        return (RetrievalStrategy.ENSEMBLE.value, "weights")
    source = failure.detail.get("source")
    return (RetrievalStrategy.ENSEMBLE.value, "sources", *([] if source is None else [source]))


def _named(settings: JsonObject, default: str, name: str, place: Where) -> JsonObject:
    presets = presets_of(settings)
    if name not in presets:
        known = ", ".join(map(repr, sorted(presets))) or "none"
        message = f"Value error, settings.extra.presets has no {name!r}; there are: {known}"
        raise InvalidFields.field("body", "settings", default, message=message, value=name)
    preset = presets[name]
    if not isinstance(preset, Mapping):
        raise InvalidFields.field(*place, kind="dict_type", message="Input should be a valid dictionary", value=preset)
    return preset


def _check_kinds(preset: JsonObject, kinds: Mapping[str, tuple[type, str, str]], place: Where) -> None:
    for member, value in preset.items():
        if member not in kinds:
            message = f"Value error, a preset of this use has: {', '.join(kinds)}"
            raise InvalidFields.field(*place, member, message=message, value=value)
        kind, word, message = kinds[member]
        if value is not None and not _is_of(kind, value):
            raise InvalidFields.field(*place, member, kind=word, message=message, value=value)


def _is_of(kind: type, value: Any) -> bool:
    return isinstance(value, Mapping if kind is dict else kind) and not isinstance(value, bool)
