"""Configurations of taxonomies as callers give them go in; checked ones, and the nodes that they mean, come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoald.application.access import Caller
from shoald.application.collections import find_collection
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.taxonomies import QUERY_INPUT, check_target, flat_config, vector_mapping
from shoald.application.taxonomy_nodes import MOST_NODES, retriever_of
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import Collection
from shoald.domain.records.taxonomy import FLAT, HIERARCHICAL
from shoald.domain.vocabulary import VectorKind

OVERLAP = 0.7
_TOP_K = range(1, 51)
_MOST_CLUSTERS = 20
_CONFIG = ("body", "config")
_INFERRED = "cluster"
_MERGE_MODES = (None, "replace")  # no set: what is sent need not be hashable
# what the document has and this installation has not, with what the client sends unasked
_UNSUPPORTED: Mapping[str, Any] = {
    "step_analytics": None,
    "inference_collections": None,
    "llm_provider": None,
    "llm_model": None,
    "llm_prompt_template": None,
    "llm_sample_size": 0,
    "hierarchical_nodes": None,
    "path_field": None,
    "path_separator": "/",
}
_OF_BOTH = ("taxonomy_type", "retriever_id", "input_mappings")
_OF_ONE: Mapping[str, tuple[str, ...]] = {
    FLAT: ("source_collection", "top_k"),
    HIERARCHICAL: ("inference_strategy", "cluster_ids", "cluster_overlap_threshold", "enrichment_fields"),
}
_FIELDS_OF_FLAT = ("source_collection", "enrichment_fields")
_OF_SOURCES = ("collection_id", "enrichment_fields")
_OF_MAPPINGS = ("input_key", "source_type", "path")
_OF_FIELDS = ("field_path", "target_field", "merge_mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatChoice:
    """A flat taxonomy over the documents of a collection: the checked configuration, and the vector."""

    collection: Collection
    vector_name: str
    config: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchicalChoice:
    """A taxonomy of the groups of clusters; a group lies under another that holds at least `overlap` of it.

    `fields` are what is copied to documents, `mapping` what the nodes are searched with; empty where nothing is said.
    """

    cluster_ids: tuple[str, ...]
    overlap: float
    fields: tuple[JsonObject, ...] = ()
    mapping: JsonObject | None = None

    def config(self, vector_name: str, fields: Sequence[JsonObject]) -> JsonObject:
        """Return the configuration in the shape of the document, but for its vector search.

        Raises `InvalidFields` for a mapping to another vector than the groups have, and for a field named as that.
        """
        mapping = self.mapping or vector_mapping(vector_name)
        if mapping["path"] != vector_name:
            message = f"must be {vector_name!r}, the vector that the groups of these clusters are in"
            raise _refused("input_mappings", 0, "path", message=message, value=mapping["path"])
        _refuse_vector(fields, vector_name, "enrichment_fields")
        return {
            "taxonomy_type": HIERARCHICAL,
            "input_mappings": [mapping],
            "inference_strategy": _INFERRED,
            "cluster_ids": list(self.cluster_ids),
            "cluster_overlap_threshold": self.overlap,
            "enrichment_fields": list(fields),
        }


def flat_choice(uow: UnitOfWork, caller: Caller, config: JsonObject) -> FlatChoice:
    """Return the flat taxonomy that a configuration asks for.

    Raises `InvalidFields`, for one that is of no known type too, and `CollectionNotFound`.
    """
    _check_supported(config)
    kind = config.get("taxonomy_type", FLAT)
    if kind != FLAT:
        raise _refused("taxonomy_type", message=f"must be one of {', '.join(_OF_ONE)}", value=kind)
    choice = _flat(uow, caller, config)
    _check_words(config, (*_OF_BOTH, *_OF_ONE[FLAT]), "a flat taxonomy has")
    return choice


def hierarchical_choice(config: JsonObject) -> HierarchicalChoice:
    """Return the hierarchical taxonomy that a configuration asks for; raises `InvalidFields`."""
    _check_supported(config)
    choice = _hierarchical(config)
    _check_words(config, (*_OF_BOTH, *_OF_ONE[HIERARCHICAL]), "a hierarchical taxonomy has")
    return choice


def _check_supported(config: JsonObject) -> None:
    for key, unasked in _UNSUPPORTED.items():
        if config.get(key) not in (None, unasked, [], {}):
            raise _refused(key, message="is not supported here", value=config[key])


def _flat(uow: UnitOfWork, caller: Caller, config: JsonObject) -> FlatChoice:
    source = _object(config, "source_collection")
    _check_words(source, _OF_SOURCES, "there are", "source_collection")
    name = source.get("collection_id")
    if not isinstance(name, str) or not name:
        raise _refused("source_collection", "collection_id", message="Field required", kind="missing")
    found = find_collection(uow, caller, name)
    if found.document_count > MOST_NODES:
        message = f"has {found.document_count} documents; at most {MOST_NODES} can be nodes"
        raise _refused("source_collection", "collection_id", message=message, value=name)
    retriever = retriever_of(found.collection_id)
    if config.get("retriever_id") != retriever:
        message = f"must be the vector search of the source collection, {retriever!r}; there are no others here"
        raise _refused("retriever_id", message=message, value=config.get("retriever_id"))
    vector_name = _vector_name(config, found)
    fields = _fields(source.get("enrichment_fields"), *_FIELDS_OF_FLAT)
    _refuse_vector(fields, vector_name, *_FIELDS_OF_FLAT)
    made = {**flat_config(found.collection_id, vector_name, fields), "top_k": _top_k(config.get("top_k"))}
    if not fields:
        made["source_collection"] = {"collection_id": found.collection_id}
    made["input_mappings"] = [_mapping(config)]
    return FlatChoice(collection=found, vector_name=vector_name, config=made)


def _vector_name(config: JsonObject, found: Collection) -> str:
    """Return the vector that the one input mapping names; raises `InvalidFields` for anything else."""
    path = _mapping(config)["path"]
    vector = found.vector(path)
    if vector is None or vector.kind != VectorKind.DENSE:
        names = ", ".join(each.name for each in found.vector_configs if each.kind == VectorKind.DENSE) or "none"
        message = f"must be a dense vector of the source collection; there are: {names}"
        raise _refused("input_mappings", 0, "path", message=message, value=path)
    return vector.name


def _mapping(config: JsonObject) -> JsonObject:
    """Return the one input mapping; raises `InvalidFields` unless it is one of a vector."""
    given = config.get("input_mappings")
    one = given[0] if isinstance(given, list) and len(given) == 1 else None
    if not isinstance(one, Mapping) or one.get("source_type") != "vector":
        message = f"must be one mapping, of source_type vector: {{'input_key': '{QUERY_INPUT}', 'path': …}}"
        raise _refused("input_mappings", message=message, value=given)
    said = {key: value for key, value in one.items() if value is not None}
    _check_words(said, _OF_MAPPINGS, "of a vector there are", "input_mappings", 0)
    for word in ("input_key", "path"):
        if not isinstance(said.get(word), str) or not said[word]:
            raise _refused("input_mappings", 0, word, message="Field required", kind="missing")
    return said


def _fields(given: Any, *where: str) -> list[JsonObject]:
    """Return what is copied from nodes, each under a key of its own; raises `InvalidFields`."""
    fields = given or []
    if not isinstance(fields, list):
        raise _refused(*where, message="must be a list", kind="list_type", value=given)
    found = [_field(one, (*where, at)) for at, one in enumerate(fields)]
    for at, one in enumerate(found):
        if one["target_field"] in {before["target_field"] for before in found[:at]}:
            message = "is written by an earlier field"
            raise _refused(*where, at, "target_field", message=message, value=one["target_field"])
    return found


def _refuse_vector(fields: Sequence[JsonObject], vector_name: str, *where: str | int) -> None:
    """Raise `InvalidFields` for a field that would be written over the vector that documents are matched by."""
    for at, one in enumerate(fields):
        if one["target_field"] == vector_name:
            message = "is the name of the vector that documents are matched by"
            raise _refused(*where, at, "target_field", message=message, value=vector_name)


def _field(one: Any, where: tuple[str | int, ...]) -> JsonObject:
    path = one.get("field_path") if isinstance(one, Mapping) else None
    if not isinstance(path, str) or not path:
        raise _refused(*where, "field_path", message="Field required", kind="missing")
    _check_words(one, _OF_FIELDS, "there are", *where)
    if one.get("merge_mode") not in _MERGE_MODES:
        message = "must be replace: values that are appended could not be told from others, and not be taken back"
        raise _refused(*where, "merge_mode", message=message, value=one["merge_mode"])
    target = one.get("target_field") or path
    if not isinstance(target, str):
        raise _refused(*where, "target_field", message="must be a string", kind="string_type", value=target)
    check_target(target, "config", *where, "target_field")
    return {"field_path": path, "target_field": target, "merge_mode": "replace"}


def _top_k(given: Any) -> int:
    number = 1 if given is None else given
    if isinstance(number, bool) or number not in _TOP_K:
        raise _refused("top_k", message=f"must be a whole number from 1 to {_TOP_K[-1]}", value=given)
    return int(number)


def _hierarchical(config: JsonObject) -> HierarchicalChoice:
    strategy = config.get("inference_strategy")
    if strategy != _INFERRED:
        message = f"must be {_INFERRED}: levels are found in the runs of clusters"
        raise _refused("inference_strategy", message=message, value=strategy)
    ids = config.get("cluster_ids")
    if not isinstance(ids, list) or not all(isinstance(one, str) and one for one in ids) or not ids:
        message = "must be a list of ids or names of clusters, at least one"
        raise _refused("cluster_ids", message=message, value=ids)
    if len(set(ids)) > _MOST_CLUSTERS:
        raise _refused("cluster_ids", message=f"must name at most {_MOST_CLUSTERS} clusters", kind="too_long")
    overlap = config.get("cluster_overlap_threshold")
    overlap = OVERLAP if overlap is None else overlap
    if isinstance(overlap, bool) or not isinstance(overlap, (int, float)) or not 0 < overlap <= 1:
        raise _refused("cluster_overlap_threshold", message="must be above 0, and at most 1", value=overlap)
    if config.get("retriever_id") is not None:
        message = "cannot be set: the nodes are searched by the vector search of the collection that is made for them"
        raise _refused("retriever_id", message=message, value=config["retriever_id"])
    return HierarchicalChoice(
        cluster_ids=tuple(dict.fromkeys(ids)),
        overlap=float(overlap),
        fields=tuple(_fields(config.get("enrichment_fields"), "enrichment_fields")),
        mapping=_mapping(config) if config.get("input_mappings") else None,
    )


def _object(config: JsonObject, name: str) -> JsonObject:
    value = config.get(name)
    if not isinstance(value, Mapping):
        kind = "missing" if value is None else "dict_type"
        raise _refused(name, message="Field required" if value is None else "must be an object", kind=kind)
    return dict(value)


def _check_words(given: Mapping[str, Any], known: Sequence[str], which: str, *where: str | int) -> None:
    """Raise `InvalidFields` for a key that would be ignored."""
    for key, value in given.items():
        if key not in known and key not in _UNSUPPORTED and value is not None:
            message = f"{which} {', '.join(known)}"
            raise _refused(*where, key, message=message, kind="extra_forbidden", value=value)


def _refused(*where: str | int, message: str, kind: str = "value_error", value: Any = None) -> InvalidFields:
    return InvalidFields.field(*_CONFIG, *where, message=message, kind=kind, value=value)
