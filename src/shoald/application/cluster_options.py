"""The parts of a definition beside algorithm and features: what was asked for goes in, frozen parameters come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from shoald.domain.clustering.attribute_groups import MOST_FREQUENT, AttributeParameters
from shoald.domain.clustering.face_merge import FaceMerge
from shoald.domain.clustering.feature_weights import GRID_FEATURES
from shoald.domain.clustering.parameter_rules import Rule, read_value
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import (
    ClusteringMethod,
    LayoutStability,
    ReductionMethod,
    StabilityEffort,
    WeightMetric,
    WeightSearch,
)

LEVELS = 3
"""Levels below the first, unless something else is asked for."""
HARD_CAP = 1_000_000
QUADRATIC_CAP = 100_000
"""Most documents of an algorithm that compares all pairs."""
_ALL_PAIRS = frozenset({"hdbscan", "dbscan", "optics", "spectral", "agglomerative"})
_DEFAULT_ROWS = {**dict.fromkeys(_ALL_PAIRS, 50_000), **dict.fromkeys(("kmeans", "gaussian_mixture"), 100_000)}
_OTHERS_ROWS = 100_000

_LEARNING_RULES = {
    "method": Rule(kind=str, words=tuple(WeightSearch)),
    "max_iterations": Rule(kind=int, least=5, most=100),
    "metric": Rule(kind=str, words=tuple(WeightMetric)),
    "sample_size": Rule(kind=int, least=100),
    "random_state": Rule(kind=int, least=0, most=2**32 - 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLearning:
    """How weights of features are learned: the search, its length, what is made best, on how many documents."""

    method: str = "bayesian"
    max_iterations: int = 20
    metric: str = "silhouette"
    sample_size: int | None = None
    random_state: int = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """How the map is drawn: its dimensions (None: not at all), by what, how it keeps to the one before, the seed."""

    dimensions: int | None = 2
    method: str = ReductionMethod.UMAP
    stability: str = LayoutStability.ALIGN
    seed: int = 42


def sample_of(method: str, size: int | None) -> tuple[int, tuple[str, ...]]:
    """Return how many documents an algorithm sees at most, and a warning where less than asked for.

    Unset, the document has a figure for each algorithm; the others are assigned afterwards.
    """
    cap = QUADRATIC_CAP if method in _ALL_PAIRS else HARD_CAP
    if size is None:
        return _DEFAULT_ROWS.get(method, _OTHERS_ROWS), ()
    if size > cap:
        return cap, (f"sample_size {size} exceeds what {method} may be given: {cap} documents are clustered at most",)
    return size, ()


def attributes_of(config: JsonObject | None) -> AttributeParameters:
    """Read how documents are grouped by their attributes; raises `InvalidFields` for none."""
    given = config or {}
    attributes = tuple(dict.fromkeys(one for one in given.get("attributes") or () if one))
    if not attributes:
        raise InvalidFields.field("body", "attribute_config", "attributes", message="Field required", kind="missing")
    return AttributeParameters(
        attributes=attributes,
        hierarchical=bool(given.get("hierarchical_grouping")),
        aggregation=given.get("aggregation_method") or MOST_FREQUENT,
    )


def face_merge_of(config: JsonObject | None) -> FaceMerge | None:
    """Read when groups are one face; None unless it was asked for and not disabled."""
    if not config or config.get("enabled") is False:
        return None
    return FaceMerge(**_given(FaceMerge, config))


def weight_learning_of(config: JsonObject | None, features: int) -> WeightLearning:
    """Read how weights are learned; raises `InvalidFields` for a value out of range."""
    loc = ("body", "vector_config", "weight_learning_config")
    values, problems = {}, []
    for name, value in _given(WeightLearning, config or {}).items():
        values[name] = read_value(_LEARNING_RULES[name], value, (*loc, name))
        if isinstance(values[name], FieldProblem):
            problems.append(values[name])
    if values.get("method") == WeightSearch.GRID_SEARCH and features > GRID_FEATURES:
        message = f"tries every combination, of {GRID_FEATURES} features at most; use bayesian"
        problems.append(FieldProblem((*loc, "method"), "value_error", message, values["method"]))
    if problems:
        raise InvalidFields(problems)
    return WeightLearning(**values)


def _given(shape: Any, config: JsonObject) -> dict[str, Any]:
    names = {field.name for field in fields(shape)}
    return {key: value for key, value in config.items() if key in names and value is not None}


def levels_of(vector: Mapping[str, Any]) -> int:
    """Return how many levels groups are divided into below the first; 0 for none."""
    return int(vector.get("max_hierarchy_depth") or LEVELS) if vector.get("hierarchical") else 0


def map_of(vector: Mapping[str, Any], changes: JsonObject) -> MapOptions:
    """Read how the map is drawn."""
    dimensions = changes.get("vis_n_components") or vector["vis_n_components"]
    stability = changes.get("layout_stability") or vector.get("layout_stability") or LayoutStability.ALIGN
    return MapOptions(
        dimensions=None if changes.get("defer_visualization") else dimensions,
        method=vector.get("map_method") or ReductionMethod.UMAP,
        stability=stability,
    )


def effort_of(vector: Mapping[str, Any], changes: JsonObject) -> str:
    """Return how thoroughly the stability of the groups is measured."""
    return str(changes.get("stability") or vector.get("stability") or StabilityEffort.QUICK)


def is_attribute(asked: Mapping[str, Any]) -> bool:
    """Say whether documents are grouped by their attributes."""
    method = (asked.get("vector_config") or {}).get("clustering_method") or asked.get("algorithm")
    return asked.get("cluster_type") == "attribute" or method == ClusteringMethod.ATTRIBUTE_BASED
