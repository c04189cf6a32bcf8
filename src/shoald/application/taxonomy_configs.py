"""Configurations of taxonomies as callers give them go in; checked ones, and the nodes that they mean, come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shoald.application.access import Caller
from shoald.application.collections import find_collection
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.taxonomies import QUERY_INPUT, check_target, flat_config
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
_TYPES = (FLAT, HIERARCHICAL)
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
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatChoice:
    """A flat taxonomy over the documents of a collection: the checked configuration, and the vector."""

    collection: Collection
    vector_name: str
    config: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchicalChoice:
    """A taxonomy of the groups of clusters; a group lies under another that holds at least `overlap` of it."""

    cluster_ids: tuple[str, ...]
    overlap: float

    def config(self, mapping: JsonObject) -> JsonObject:
        """Return the configuration in the shape of the document, but for its vector search."""
        return {
            "taxonomy_type": HIERARCHICAL,
            "input_mappings": [mapping],
            "inference_strategy": _INFERRED,
            "cluster_ids": list(self.cluster_ids),
            "cluster_overlap_threshold": self.overlap,
        }


def choice_of(uow: UnitOfWork, caller: Caller, config: JsonObject) -> FlatChoice | HierarchicalChoice:
    """Return what a configuration asks for; raises `InvalidFields` and `CollectionNotFound`."""
    for key, unasked in _UNSUPPORTED.items():
        if config.get(key) not in (None, unasked, [], {}):
            raise _refused(key, message="is not supported here", value=config[key])
    kind = config.get("taxonomy_type", FLAT)
    if kind not in _TYPES:
        raise _refused("taxonomy_type", message=f"must be one of {', '.join(_TYPES)}", value=kind)
    return _flat(uow, caller, config) if kind == FLAT else _hierarchical(config)


def _flat(uow: UnitOfWork, caller: Caller, config: JsonObject) -> FlatChoice:
    source = _object(config, "source_collection")
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
    fields = _fields(source.get("enrichment_fields") or [])
    made = {**flat_config(found.collection_id, vector_name, fields), "top_k": _top_k(config.get("top_k"))}
    if not fields:
        made["source_collection"] = {"collection_id": found.collection_id}
    made["input_mappings"] = [dict(one) for one in config["input_mappings"]]
    return FlatChoice(collection=found, vector_name=vector_name, config=made)


def _vector_name(config: JsonObject, found: Collection) -> str:
    """Return the vector that the one input mapping names; raises `InvalidFields` for anything else."""
    mappings = config.get("input_mappings")
    one = mappings[0] if isinstance(mappings, list) and len(mappings) == 1 else None
    where = "input_mappings"
    if not isinstance(one, Mapping) or one.get("source_type") != "vector":
        message = f"must be one mapping, of source_type vector: {{'input_key': '{QUERY_INPUT}', 'path': …}}"
        raise _refused(where, message=message, value=mappings)
    vector = found.vector(str(one.get("path")))
    if vector is None or vector.kind != VectorKind.DENSE:
        names = ", ".join(each.name for each in found.vector_configs if each.kind == VectorKind.DENSE) or "none"
        message = f"must be a dense vector of the source collection; there are: {names}"
        raise _refused(where, 0, "path", message=message, value=one.get("path"))
    return vector.name


def _fields(given: Any) -> list[JsonObject]:
    where = ("source_collection", "enrichment_fields")
    if not isinstance(given, list):
        raise _refused(*where, message="must be a list", kind="list_type", value=given)
    return [_field(one, (*where, at)) for at, one in enumerate(given)]


def _field(one: Any, where: tuple[str | int, ...]) -> JsonObject:
    path = one.get("field_path") if isinstance(one, Mapping) else None
    if not isinstance(path, str) or not path:
        raise _refused(*where, "field_path", message="Field required", kind="missing")
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
        raise _refused("cluster_ids", message="must name at least one cluster", value=ids)
    if len(set(ids)) > _MOST_CLUSTERS:
        raise _refused("cluster_ids", message=f"must name at most {_MOST_CLUSTERS} clusters", kind="too_long")
    overlap = config.get("cluster_overlap_threshold")
    overlap = OVERLAP if overlap is None else overlap
    if isinstance(overlap, bool) or not isinstance(overlap, (int, float)) or not 0 < overlap <= 1:
        raise _refused("cluster_overlap_threshold", message="must be above 0, and at most 1", value=overlap)
    if config.get("retriever_id") is not None:
        message = "cannot be set: the nodes are searched by the vector search of the collection that is made for them"
        raise _refused("retriever_id", message=message, value=config["retriever_id"])
    return HierarchicalChoice(cluster_ids=tuple(dict.fromkeys(ids)), overlap=float(overlap))


def _object(config: JsonObject, name: str) -> JsonObject:
    value = config.get(name)
    if not isinstance(value, Mapping):
        kind = "missing" if value is None else "dict_type"
        raise _refused(name, message="Field required" if value is None else "must be an object", kind=kind)
    return dict(value)


def _refused(*where: str | int, message: str, kind: str = "value_error", value: Any = None) -> InvalidFields:
    return InvalidFields.field(*_CONFIG, *where, message=message, kind=kind, value=value)
