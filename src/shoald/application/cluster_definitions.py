"""What a caller asks to cluster goes in, in any documented spelling; one definition with its defaults comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoald.application.cluster_options import (
    LEVELS,
    MapOptions,
    WeightLearning,
    attributes_of,
    effort_of,
    face_merge_of,
    is_attribute,
    levels_of,
    map_of,
    sample_of,
    weight_learning_of,
)
from shoald.application.cluster_settings import settings_of
from shoald.application.label_budget import caps_of
from shoald.domain.clustering.attribute_groups import AttributeParameters
from shoald.domain.clustering.face_merge import FaceMerge
from shoald.domain.clustering.parameters import (
    AlgorithmParameters,
    AutoParameters,
    PreprocessingStep,
    parse_algorithm,
    parse_steps,
)
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.identifiers import looks_like_an_id
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.answer_shapes import shape_flaw
from shoald.domain.records.collection import Collection
from shoald.domain.vocabulary import (
    CentroidKind,
    ClusteringMethod,
    ClusterType,
    InputSource,
    MultiFeatureStrategy,
    StabilityEffort,
)

PATH_WORDS = frozenset(
    {
        "list",
        "enrich",
        "triggers",
        "execute",
        "executions",
        "artifacts",
        "groups",
        "visualization",
        "jobs",
        "export",
        "sweeps",
    }
)
"""Words of this API's paths, which must not be names: the paths would mean something else."""

# short model names of the guide, and the dated ones that clients know
_DATED_MODELS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "o3-mini": "o3-mini-2025-01-31",
    "gemini-2.5-flash-preview-04-17": "gemini-2.5-flash",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-3-5-sonnet": "claude-3-5-sonnet-20241022",
    "claude-3-5-haiku": "claude-3-5-haiku-20241022",
}
_SAID_TO_MODELS = (
    "provider",
    "model_name",
    "labeling_context",
    "custom_prompt",
    "response_shape",
    "candidate_labels",
)
_OLDER_PARAMETERS = ("kmeans_parameters", "hdbscan_parameters", "dbscan_parameters")
_KNOWN_MODELS = frozenset(_DATED_MODELS.values()) | {
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3.1-flash-lite",
    "gemini-3.5-flash-lite",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A definition as a run works by it: everything decided, but for what the collections hold.

    `attributes` is set for those that group by attributes, to which features and algorithm do not apply.
    `chose_steps` says whether the steps are the caller's. `levels` is how deep groups are divided below the first one.
    `learning` is set when weights are to be learned. `warnings` name what was asked for and does not apply.
    """

    features: tuple[str, ...]
    algorithm: AlgorithmParameters
    steps: tuple[PreprocessingStep, ...]
    sample_size: int | None
    normalize: bool
    strategy: str
    weights: JsonObject
    centroid_kind: str
    filters: JsonObject | None
    labeling: JsonObject
    warnings: tuple[str, ...]
    map: MapOptions = field(default_factory=MapOptions)
    attributes: AttributeParameters | None = None
    chose_steps: bool = True
    levels: int = 0
    faces: FaceMerge | None = None
    learning: WeightLearning | None = None
    stability: str = StabilityEffort.QUICK

    @property
    def map_dimensions(self) -> int | None:
        """Dimensions of the map, None for no map."""
        return self.map.dimensions


def normalized(asked: JsonObject) -> dict[str, Any]:
    """Return the create shape of the document with the guide's other spellings brought into it.

    Raises `InvalidFields` for what is missing or contradicts itself. The collections of a composite cluster may be
    left out; they are those of its sources then.
    """
    vector = {key: value for key, value in (asked.get("vector_config") or {}).items() if not _is_empty(value)}
    by_attributes = is_attribute(asked)
    settings = settings_of(asked, vector)
    method = _method(asked, vector, settings)
    _refuse_composite_attributes(settings, by_attributes=by_attributes)
    if method is None and not by_attributes:
        raise InvalidFields.field(
            "body", "vector_config", "clustering_method", message="Field required", kind="missing"
        )
    definition: dict[str, Any] = {
        "collection_ids": _collection_ids(asked, settings),
        "cluster_type": ClusterType.ATTRIBUTE.value if by_attributes else ClusterType.VECTOR.value,
        "vector_config": None if by_attributes else _vector_config(asked, vector, str(method)),
        "attribute_config": dict(asked.get("attribute_config") or {}) if by_attributes else None,
        "filters": asked.get("filters") or None,
        "llm_labeling": labeling_of(asked.get("llm_labeling")),
        **settings,
    }
    read_spec(definition)
    return definition


def _method(asked: JsonObject, vector: dict[str, Any], settings: JsonObject) -> str | None:
    """Take the method out of all of its places; a composite cluster chooses by itself where none is named."""
    named = vector.pop("clustering_method", None), vector.pop("algorithm", None), asked.get("algorithm")
    unless_named = ClusteringMethod.AUTO.value if settings["source_cluster_ids"] else None
    return next((str(word) for word in named if word), unless_named)


def _refuse_composite_attributes(settings: JsonObject, *, by_attributes: bool) -> None:
    if by_attributes and settings["source_cluster_ids"]:
        message = "does not apply to groups by attributes"
        raise InvalidFields.field("body", "source_cluster_ids", message=message, value=settings["source_cluster_ids"])


def _vector_config(asked: JsonObject, vector: JsonObject, method: str) -> dict[str, Any]:
    features = _features(asked, vector)
    return {
        "feature_uris": features,
        "clustering_method": method,
        "algorithm_params": _parameters(asked, vector, method),
        "sample_size": vector.get("sample_size") or asked.get("sample_size"),
        "multi_feature_strategy": vector.get("multi_feature_strategy") or "concatenate",
        "feature_weights": _checked_weights(vector, features),
        "weight_learning_config": vector.get("weight_learning_config"),
        "effective_feature_method": vector.get("effective_feature_method") or CentroidKind.MEAN.value,
        "normalize_features": vector.get("normalize_features", True),
        "preprocessing_steps": _steps(asked, vector),
        "vis_n_components": vector.get("vis_n_components") or _reduced(asked, "components") or 2,
        "map_method": _reduced(asked, "method"),
        "layout_stability": vector.get("layout_stability"),
        "stability": vector.get("stability"),
        "hierarchical": bool(asked.get("hierarchical") or vector.get("hierarchical")),
        "max_hierarchy_depth": vector.get("max_hierarchy_depth"),
        "face_cluster_merge": vector.get("face_cluster_merge"),
        "output_strategy": vector.get("output_strategy"),
    }


def read_spec(definition: JsonObject, overrides: JsonObject | None = None) -> ClusterSpec:
    """Read a stored definition, and what one run changes of it; raises `InvalidFields` for a bad parameter."""
    changes = overrides or {}
    filters = changes.get("filters") or definition["filters"]
    labeling = changes.get("llm_labeling") or definition["llm_labeling"] or {}
    check_labeling(labeling)
    if definition["vector_config"] is None:
        return _attribute_spec(definition, changes, filters, labeling)
    vector: Mapping[str, Any] = definition["vector_config"]
    loc = ("body", "vector_config")
    method = vector["clustering_method"]
    parameters = {**vector["algorithm_params"], **(changes.get("algorithm_params") or {})}
    said = ("body", "algorithm_params") if changes.get("algorithm_params") else (*loc, "algorithm_params")
    algorithm, dropped = parse_algorithm(method, parameters, loc=said)
    steps, more = parse_steps(vector["preprocessing_steps"], loc=(*loc, "preprocessing_steps"))
    sample, capped = sample_of(method, changes.get("sample_size") or vector["sample_size"])
    strategy, weights = vector["multi_feature_strategy"], vector["feature_weights"]
    learns = strategy == MultiFeatureStrategy.WEIGHTED and not weights
    return ClusterSpec(
        features=tuple(vector["feature_uris"]),
        algorithm=algorithm,
        steps=steps,
        sample_size=sample,
        normalize=vector["normalize_features"],
        strategy=strategy,
        weights=weights,
        centroid_kind=vector.get("effective_feature_method", CentroidKind.MEAN.value),
        filters=filters,
        labeling=labeling,
        warnings=(*dropped, *more, *capped, *_idle(vector), *_idle_labeling(labeling)),
        map=map_of(vector, changes),
        chose_steps=bool(vector["preprocessing_steps"]),
        levels=levels_of(vector),
        faces=face_merge_of(vector.get("face_cluster_merge")),
        learning=weight_learning_of(vector.get("weight_learning_config"), len(vector["feature_uris"]))
        if learns
        else None,
        stability=effort_of(vector, changes),
    )


def _attribute_spec(
    definition: JsonObject, changes: JsonObject, filters: JsonObject | None, labeling: JsonObject
) -> ClusterSpec:
    dimensions = changes.get("vis_n_components") or 2  # such a map costs too little to be put off
    return ClusterSpec(
        features=(),
        algorithm=AutoParameters(),
        steps=(),
        sample_size=None,
        normalize=True,
        strategy=MultiFeatureStrategy.CONCATENATE.value,
        weights={},
        centroid_kind=CentroidKind.MEAN.value,
        filters=filters,
        labeling=labeling,
        warnings=tuple(_idle_labeling(labeling)),
        map=MapOptions(dimensions=dimensions, method="packed", stability="none"),
        attributes=attributes_of(definition["attribute_config"]),
    )


def check_name(name: str) -> None:
    """Raise `InvalidFields` for a name that a path could not tell from a word of its own or from an id."""
    message = None
    if name.lower() in PATH_WORDS:
        message = f"{name!r} is a word of this API's paths and cannot be a name"
    elif looks_like_an_id(name):
        message = "a name must not look like an id"
    elif name in {".", ".."} or name != name.strip() or not name.isprintable():
        message = "a name must not be dots alone, nor hold control characters or outer spaces"
    if message is not None:
        raise InvalidFields.field("body", "cluster_name", message=message, value=name)


@dataclass(frozen=True, slots=True)
class ResolvedFeature:
    """One feature, and the vector that it means in each collection."""

    name: str
    vector_names: Mapping[str, str] = field(default_factory=dict[str, str])


def resolve_features(features: Sequence[str], collections: Sequence[Collection]) -> tuple[ResolvedFeature, ...]:
    """Return the vectors that the features mean in each collection that has any.

    None given means the only vector of them all. Raises `InvalidFields` that lists the names there are.
    """
    filled = [one for one in collections if one.vector_configs]
    if not filled:
        return ()
    if not features:
        common = set.intersection(*({config.name for config in one.vector_configs} for one in filled))
        everything = {config.name for one in filled for config in one.vector_configs}
        if len(everything) != 1 or len(common) != 1:
            raise _unknown_feature(None, filled)
        features = tuple(common)
    return tuple(_resolve(feature, filled) for feature in features)


def _resolve(feature: str, collections: Sequence[Collection]) -> ResolvedFeature:
    output = feature.rpartition("/")[2] if "://" in feature else feature
    found = {}
    for one in collections:
        exact = [config.name for config in one.vector_configs if config.feature_uri == feature]
        named = [config.name for config in one.vector_configs if config.name == output]
        if not (exact or named):
            raise _unknown_feature(feature, collections)
        found[one.collection_id] = (exact or named)[0]
    return ResolvedFeature(feature, found)


def _unknown_feature(feature: str | None, collections: Sequence[Collection]) -> InvalidFields:
    names = sorted({config.feature_uri or config.name for one in collections for config in one.vector_configs})
    what = "several vectors could be meant; name one of" if feature is None else f"no feature {feature!r}; there are"
    return InvalidFields(
        [FieldProblem(("body", "vector_config", "feature_uris"), "value_error", f"{what}: {', '.join(names)}", feature)]
    )


def _is_empty(value: Any) -> bool:
    return value is None or value in ([], {})


def _collection_ids(asked: JsonObject, settings: JsonObject) -> list[str]:
    ids = asked.get("collection_ids") or asked.get("source_collection_ids") or []
    if not ids and not settings["source_cluster_ids"]:
        raise InvalidFields.field("body", "collection_ids", message="Field required", kind="missing")
    return list(dict.fromkeys(ids))


def _features(asked: JsonObject, vector: JsonObject) -> list[str]:
    one = vector.get("feature_uri")
    given = vector.get("feature_uris") or ([one] if one else None) or asked.get("feature_addresses") or []
    return list(dict.fromkeys(given))


def _checked_weights(vector: JsonObject, features: Sequence[str]) -> JsonObject:
    """Return the factors of the features; raises `InvalidFields` for those that mean nothing."""
    given: JsonObject = vector.get("feature_weights") or {}
    loc = ("body", "vector_config", "feature_weights")
    problems = []
    for name, weight in given.items():
        if weight < 0:
            problems.append(FieldProblem((*loc, name), "greater_than_equal", "must be at least 0", weight))
        elif features and name not in features:
            message = f"is none of the features {', '.join(features)}"
            problems.append(FieldProblem((*loc, name), "value_error", message, weight))
    if features and all(given.get(name, 1) == 0 for name in features):
        problems.append(FieldProblem(loc, "value_error", "at least one feature needs a weight", dict(given)))
    if problems:
        raise InvalidFields(problems)
    return given


def _parameters(asked: JsonObject, vector: JsonObject, method: str) -> dict[str, Any]:
    """Return the parameters under all of their names; those of another algorithm stay under theirs, to be named."""
    older = {name: vector[name] for name in _OLDER_PARAMETERS if vector.get(name)}
    mine = older.pop(f"{method}_parameters", {})
    parameters = {**older, **(asked.get("algorithm_config") or {}), **mine, **(vector.get("algorithm_params") or {})}
    if vector.get("num_clusters") is not None:
        parameters.setdefault("n_clusters", vector["num_clusters"])
    return parameters


def _steps(asked: JsonObject, vector: JsonObject) -> list[dict[str, Any]]:
    given = vector.get("preprocessing_steps") or asked.get("preprocessing_steps") or []
    return [{key: value for key, value in one.items() if value is not None} for one in given]


def _reduced(asked: JsonObject, name: str) -> Any:
    return (asked.get("dimension_reduction") or {}).get(name)


def labeling_of(given: JsonObject | None) -> dict[str, Any] | None:
    """Keep what was said; a model that clients do not know is kept beside it, since its name breaks their lists."""
    if not given:
        return None
    labeling = {key: value for key, value in given.items() if not _is_empty(value)}
    model = labeling.get("model_name")
    if model is None:
        return labeling
    dated = _DATED_MODELS.get(model, model)
    if dated in _KNOWN_MODELS:
        return {**labeling, "model_name": dated}
    labeling.pop("model_name")
    return {**labeling, "parameters": {**labeling.get("parameters", {}), "model": model}}


def check_labeling(labeling: JsonObject) -> None:
    """Refuse what is said of names and cannot be done; raises `InvalidFields`."""
    caps_of(labeling)
    shape, model = labeling.get("response_shape"), (labeling.get("parameters") or {}).get("model")
    where = ("body", "llm_labeling")
    if not isinstance(shape, str | Mapping | None):
        raise InvalidFields.field(*where, "response_shape", message="must be a text or an object", value=shape)
    if not isinstance(model, str | None):
        raise InvalidFields.field(*where, "parameters", "model", message="must be the name of a model", value=model)
    flaw = shape_flaw(shape)
    if flaw is not None:
        raise InvalidFields.field(*where, "response_shape", message=f"is no JSON schema: {flaw}")
    for at, one in enumerate((labeling.get("labeling_inputs") or {}).get("input_mappings") or ()):
        if one.get("source_type") == InputSource.LITERAL and one.get("override") is None:
            place = (*where, "labeling_inputs", "input_mappings", at, "override")
            raise InvalidFields.field(*place, message="Field required: what a literal says", kind="missing")


def _idle(vector: JsonObject) -> list[str]:
    """Name what was asked for and does not apply."""
    warnings = []
    if vector.get("max_hierarchy_depth") not in (None, LEVELS) and not vector.get("hierarchical"):
        warnings.append("max_hierarchy_depth does not apply: hierarchical was not asked for")
    if vector["feature_weights"] and len(vector["feature_uris"]) <= 1:
        warnings.append("feature_weights does not apply: there is one feature")
    if vector.get("weight_learning_config") and (
        vector["feature_weights"] or vector["multi_feature_strategy"] != MultiFeatureStrategy.WEIGHTED
    ):
        warnings.append("weight_learning_config does not apply: weights are learned for weighted without any given")
    if vector.get("output_strategy") == "per_feature" and vector["multi_feature_strategy"] != "independent":
        warnings.append("output_strategy per_feature does not apply: the features are clustered together")
    return warnings


def _idle_labeling(labeling: JsonObject) -> list[str]:
    """Name what is said to a language model, and inputs that hold no text of payloads, where no model is asked."""
    if labeling.get("enabled"):
        return []
    said = [name for name in _SAID_TO_MODELS if labeling.get(name)]
    if "model_name" not in said and (labeling.get("parameters") or {}).get("model"):
        said.append("model_name")
    asked = f"llm_labeling {', '.join(said)} does not apply: without enabled no language model is asked"
    mappings = (labeling.get("labeling_inputs") or {}).get("input_mappings") or ()
    sources = {one.get("source_type") or "payload" for one in mappings} - {"payload"}
    inputs = (
        f"labeling_inputs of source_type {source} do not apply: groups are named after the texts of payloads"
        for source in sorted(sources)
    )
    return [*([asked] if said else []), *inputs]
