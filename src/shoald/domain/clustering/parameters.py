"""Free JSON parameters in, frozen ones with the documented defaults and ranges out; nothing is ever clamped.

What a value's type allows is coerced ("15" and 15.0 are 15); what lies outside a range is refused, naming the field;
what belongs to another algorithm or to nobody is dropped with a warning, since an official client sends such things.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar

from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import ClusteringMethod, PreprocessingMethod

Location = Sequence[str | int]

OWN_METRICS = ("euclidean", "l2", "cosine")
"""Computed by Shoal on every backend."""

HDBSCAN_METRICS = (*OWN_METRICS, "manhattan", "l1", "cityblock", "chebyshev", "infinity", "canberra", "braycurtis")
UMAP_METRICS = (*OWN_METRICS, "manhattan", "l1", "cityblock", "chebyshev", "canberra", "braycurtis", "correlation")


BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "1.0": True, "0.0": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What one parameter may be."""

    kind: type
    least: float | None = None
    above: float | None = None
    most: float | None = None
    words: tuple[str, ...] = ()
    nullable: bool = False


def _parameter(default: Any, kind: type, **rule: Any) -> Any:
    return field(default=default, metadata={"rule": Rule(kind=kind, **rule)})


@dataclass(frozen=True, slots=True, kw_only=True)
class KmeansParameters:
    """k-means; `random_state` null means a seed drawn for the run and recorded."""

    method: ClassVar[str] = ClusteringMethod.KMEANS
    aliases: ClassVar[Mapping[str, str]] = {"num_clusters": "n_clusters"}
    idle: ClassVar[Mapping[str, str]] = {
        "verbose": "progress is reported by the run's task",
        "copy_x": "the vectors are never modified",
    }

    n_clusters: int = _parameter(8, int, least=2, most=1000)
    max_iter: int = _parameter(300, int, least=1, most=10_000)
    n_init: int = _parameter(10, int, least=1, most=1000)
    tol: float = _parameter(1e-4, float, above=0)
    init: str = _parameter("k-means++", str, words=("k-means++", "random"))
    random_state: int | None = _parameter(42, int, least=0, most=2**32 - 1, nullable=True)
    algorithm: str = _parameter("lloyd", str, words=("lloyd", "elkan", "auto"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HdbscanParameters:
    """HDBSCAN; words mean what the `hdbscan` library means by them: `min_samples` does not count the row itself."""

    method: ClassVar[str] = ClusteringMethod.HDBSCAN
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, str]] = {
        "prediction_data": "later documents are assigned by their cosine to the centroids",
    }

    min_cluster_size: int = _parameter(5, int, least=2)
    min_samples: int | None = _parameter(None, int, least=1, nullable=True)
    cluster_selection_epsilon: float = _parameter(0.0, float, least=0)
    max_cluster_size: int | None = _parameter(None, int, least=1, nullable=True)
    metric: str = _parameter("euclidean", str, words=HDBSCAN_METRICS)
    alpha: float = _parameter(1.0, float, above=0)
    cluster_selection_method: str = _parameter("eom", str, words=("eom", "leaf"))
    allow_single_cluster: bool = _parameter(default=False, kind=bool)
    match_reference_implementation: bool = _parameter(default=False, kind=bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteningParameters:
    """Soft ZCA whitening; `regularization` is added to each eigenvalue of the covariance."""

    method: ClassVar[str] = PreprocessingMethod.WHITENING
    aliases: ClassVar[Mapping[str, str]] = {}
    idle: ClassVar[Mapping[str, str]] = {}

    regularization: float = _parameter(1e-5, float, least=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class UmapParameters:
    """UMAP reduction; `n_neighbors` counts the row itself."""

    method: ClassVar[str] = PreprocessingMethod.UMAP
    aliases: ClassVar[Mapping[str, str]] = {"components": "n_components"}
    idle: ClassVar[Mapping[str, str]] = {}

    n_components: int = _parameter(50, int, least=2, most=256)
    n_neighbors: int = _parameter(30, int, least=2, most=1000)
    min_dist: float = _parameter(0.0, float, least=0, most=1)
    metric: str = _parameter("cosine", str, words=UMAP_METRICS)
    random_state: int = _parameter(42, int, least=0, most=2**32 - 1)


AlgorithmParameters = KmeansParameters | HdbscanParameters
PreprocessingStep = WhiteningParameters | UmapParameters

ALGORITHMS: Mapping[str, type[AlgorithmParameters]] = {p.method: p for p in (KmeansParameters, HdbscanParameters)}
STEPS: Mapping[str, type[PreprocessingStep]] = {p.method: p for p in (WhiteningParameters, UmapParameters)}

Parameters = TypeVar("Parameters", bound=KmeansParameters | HdbscanParameters | WhiteningParameters | UmapParameters)


def parse_algorithm(
    method: str, given: JsonObject | None, *, loc: Location
) -> tuple[AlgorithmParameters, tuple[str, ...]]:
    """Return the parameters of a clustering method and the warnings about what was dropped.

    Raises `InvalidFields` with one problem per bad value, located at `loc` and the parameter's name.

    >>> parse_algorithm("hdbscan", {"min_cluster_size": 15.0, "n_clusters": 8}, loc=("body",))[1]
    ('n_clusters is no parameter of hdbscan and was ignored',)
    """
    if method not in ALGORITHMS:
        raise InvalidFields([_not_among(loc, method, tuple(ALGORITHMS))])
    return _parse(ALGORITHMS[method], given or {}, loc)


def parse_steps(
    given: Sequence[JsonObject] | None, *, loc: Location
) -> tuple[tuple[PreprocessingStep, ...], tuple[str, ...]]:
    """Return the preprocessing steps in order, `none` left out, and the warnings. Raises `InvalidFields` likewise."""
    steps: list[PreprocessingStep] = []
    warnings: list[str] = []
    for at, one in enumerate(given or ()):
        word = str(one.get("method"))
        if word == PreprocessingMethod.NONE:
            continue
        if word not in STEPS:
            known = (*STEPS, str(PreprocessingMethod.NONE))
            raise InvalidFields([_not_among((*loc, at, "method"), word, known)])
        parsed, dropped = _parse(STEPS[word], {k: v for k, v in one.items() if k != "method"}, (*loc, at))
        steps.append(parsed)
        warnings.extend(dropped)
    return tuple(steps), tuple(warnings)


def _not_among(loc: Location, value: Any, known: tuple[str, ...]) -> FieldProblem:
    return FieldProblem(tuple(loc), "literal_error", f"must be one of {', '.join(known)}", value)


def _parse(shape: type[Parameters], given: JsonObject, loc: Location) -> tuple[Parameters, tuple[str, ...]]:
    """Read each known parameter, collect what is wrong with all of them, and say what was left out."""
    rules = {f.name: f.metadata["rule"] for f in fields(shape)}
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    warnings: list[str] = []
    for word, value in given.items():
        name = shape.aliases.get(word, word)
        if name not in rules:
            if value is not None:
                warnings.append(_dropped(shape, word))
        elif value is not None:
            read = _read(rules[name], value, (*loc, word))
            if isinstance(read, FieldProblem):
                problems.append(read)
            values[name] = read
        elif rules[name].nullable:
            values[name] = None
    if problems:
        raise InvalidFields(problems)
    return shape(**values), tuple(warnings)


def _dropped(shape: type[Parameters], word: str) -> str:
    if word in shape.idle:
        return f"{word} does not apply: {shape.idle[word]}"
    return f"{word} is no parameter of {shape.method} and was ignored"


def _read(rule: Rule, value: Any, loc: tuple[str | int, ...]) -> Any:
    """Return the value as the rule's type, or the problem with it."""
    coerced = _coerce(rule.kind, value)
    if coerced is None:
        name = {int: "int", float: "float", bool: "bool", str: "string"}[rule.kind]
        article = "an integer" if rule.kind is int else f"a {name}"
        return FieldProblem(loc, f"{name}_parsing", f"must be {article}", value)
    if rule.words and coerced not in rule.words:
        return _not_among(loc, value, rule.words)
    if rule.least is not None and coerced < rule.least:
        return FieldProblem(loc, "greater_than_equal", f"must be at least {rule.least:g}", value)
    if rule.above is not None and coerced <= rule.above:
        return FieldProblem(loc, "greater_than", f"must be greater than {rule.above:g}", value)
    if rule.most is not None and coerced > rule.most:
        return FieldProblem(loc, "less_than_equal", f"must be at most {rule.most:.10g}", value)
    return coerced


def _coerce(kind: type, value: Any) -> Any:
    """Return the value as `kind`, or None when that would lose or invent something."""
    if kind is str:
        return value if isinstance(value, str) else None
    if kind is bool:
        return BOOLEANS.get(str(value).lower())
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    fits = number.is_integer() if kind is int else math.isfinite(number)
    return kind(number) if fits else None
