"""What surrounds the runs of a definition: whose groups it groups, where results are written, when runs begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shoald.application.document_vectors import OWN_KEYS
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject

COOLDOWN_SECONDS = 3600
"""Seconds between two runs that begin by themselves, unless something else is asked for."""
WRITTEN_UNLESS_ASKED = ("cluster_id", "cluster_label")
"""What is written into source documents where nothing else is said, under the same names."""
WRITTEN = (*WRITTEN_UNLESS_ASKED, "distance_to_centroid", "member_count", "keywords", "x", "y", "z")
"""What can be written into source documents, beside `metadata.*`."""
_BESIDE_VECTORS = (
    *("feature_addresses", "algorithm_config", "sample_size", "preprocessing_steps", "hierarchical"),
    "dimension_reduction",
)
_READ = frozenset({"clustering_method", "algorithm", "enrich_source"})
"""What is read of vectors whatever makes the groups."""
_UNSAID: JsonObject = {
    "multi_feature_strategy": "concatenate",
    "normalize_features": True,
    "output_strategy": "single",
    "effective_feature_method": "mean",
    "hierarchical": False,
    "max_hierarchy_depth": 3,
    "vis_n_components": 2,
}
"""Defaults, which clients send along."""
_METADATA = "metadata."
_LONGEST_TARGET = 200
_LOC = ("body", "source_enrichment_config", "field_mappings")
_SPELLINGS = (
    ("collection_ids", "source_collection_ids"),
    ("vector_config.feature_uris", "vector_config.feature_uri", "feature_addresses"),
    ("vector_config.clustering_method", "vector_config.algorithm", "algorithm"),
    ("vector_config.sample_size", "sample_size"),
    ("vector_config.preprocessing_steps", "preprocessing_steps"),
    ("vector_config.vis_n_components", "dimension_reduction.components"),
)
"""The places of one setting, those of the published client first: the first that says something is meant."""


def settings_of(asked: Mapping[str, Any], vector: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a new definition with their defaults; raises `InvalidFields` for a bad field mapping."""
    enriches = bool(asked.get("enrich_source_collection") or vector.get("enrich_source"))
    seconds = asked.get("auto_execute_cooldown_seconds")
    return {
        "source_cluster_ids": list(dict.fromkeys(asked.get("source_cluster_ids") or ())),
        "enrich_source_collection": enriches,
        "source_enrichment_config": enrichment_of(asked.get("source_enrichment_config"), enriches=enriches),
        "auto_execute_on_batch": bool(asked.get("auto_execute_on_batch")),
        "auto_execute_min_documents": asked.get("auto_execute_min_documents"),
        "auto_execute_cooldown_seconds": COOLDOWN_SECONDS if seconds is None else seconds,
    }


def enrichment_of(config: JsonObject | None, *, enriches: bool) -> dict[str, Any] | None:
    """Return what is written into source documents; None where nothing is written and nothing was said."""
    mappings = (config or {}).get("field_mappings") or ()
    if not mappings:
        plain = [{"source_field": name, "target_field": name} for name in WRITTEN_UNLESS_ASKED]
        return {"field_mappings": plain} if enriches else None
    problems = [problem for at, one in enumerate(mappings) for problem in _problems(at, one, mappings[:at])]
    if problems:
        raise InvalidFields(problems)
    kept = ("source_field", "target_field")
    return {"field_mappings": [{name: one[name] for name in kept} for one in mappings]}


def _problems(at: int, mapping: JsonObject, before: Sequence[JsonObject]) -> list[FieldProblem]:
    source, target = mapping.get("source_field"), mapping.get("target_field")
    found = [
        FieldProblem((*_LOC, at, name), "missing", "Field required")
        for name, value in (("source_field", source), ("target_field", target))
        if not value
    ]
    if source and source not in WRITTEN and not source.startswith(_METADATA):
        message = f"is none of {', '.join(WRITTEN)}, {_METADATA}*"
        found.append(FieldProblem((*_LOC, at, "source_field"), "value_error", message, source))
    if target and (target in OWN_KEYS or len(target) > _LONGEST_TARGET):
        message = f"must not be one of {', '.join(sorted(OWN_KEYS))}, nor longer than {_LONGEST_TARGET} characters"
        found.append(FieldProblem((*_LOC, at, "target_field"), "value_error", message, target))
    if target and "." in target:
        message = "must not hold dots, by which filters look within objects"
        found.append(FieldProblem((*_LOC, at, "target_field"), "value_error", message, target))
    if target and any(target == one.get("target_field") for one in before):
        found.append(FieldProblem((*_LOC, at, "target_field"), "value_error", "is written twice", target))
    return found


def idle_words(asked: Mapping[str, Any], *, by_attributes: bool) -> tuple[str, ...]:
    """Name what a request says of vectors though groups are made by attributes, or the other way round."""
    if not by_attributes:
        return ("attribute_config does not apply: groups are made by vectors",) if asked.get("attribute_config") else ()
    # not one mapping: a vector_config says null of what it leaves out, and would hide what stands beside it
    said = [*((name, asked.get(name)) for name in _BESIDE_VECTORS), *(asked.get("vector_config") or {}).items()]
    named = {name for name, value in said if value not in (None, [], {}) and value != _UNSAID.get(name)}
    return tuple(f"{name} does not apply: groups are made by attributes" for name in sorted(named - _READ))


def overruled_words(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what a request says under one of several spellings, where one that comes before says something else.

    >>> overruled_words({"algorithm": "kmeans", "vector_config": {"clustering_method": "hdbscan"}})
    ('algorithm does not apply: vector_config.clustering_method says something else',)
    """
    found = []
    for names in _SPELLINGS:
        said = [(name, value) for name in names if (value := _said_at(asked, name)) not in (None, [], {}, "")]
        others = [name for name, value in said[1:] if value != said[0][1]]
        found += [f"{name} does not apply: {said[0][0]} says something else" for name in others]
    return tuple(found)


def _said_at(asked: Mapping[str, Any], name: str) -> Any:
    place, _, word = name.rpartition(".")
    value = ((asked.get(place) or {}) if place else asked).get(word)
    return [value] if value and word == "feature_uri" else value


def idle_settings(definition: JsonObject) -> tuple[str, ...]:
    """Name the settings that were asked for and do not apply."""
    warnings = []
    if definition.get("source_enrichment_config") and not definition.get("enrich_source_collection"):
        warnings.append("source_enrichment_config does not apply: enrich_source_collection was not asked for")
    if not definition.get("auto_execute_on_batch"):
        seconds = definition.get("auto_execute_cooldown_seconds", COOLDOWN_SECONDS)
        idle = {
            "auto_execute_min_documents": definition.get("auto_execute_min_documents") is not None,
            "auto_execute_cooldown_seconds": seconds != COOLDOWN_SECONDS,
        }
        said = [name for name, was_said in idle.items() if was_said]
        warnings += [f"{name} does not apply: auto_execute_on_batch was not asked for" for name in said]
    return tuple(warnings)
