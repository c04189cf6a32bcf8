"""A run, or some documents, go in; the nodes that they become, and the vector that these are matched by, come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.access import Caller
from shoald.application.cluster_definitions import resolve_features
from shoald.application.clusters import find_cluster
from shoald.application.collections import find_collection
from shoald.application.document_vectors import OWN_KEYS
from shoald.application.executions import find_run
from shoald.application.group_labels import labels_of
from shoald.application.output_documents import features_apart
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.taxonomy_nodes import MOST_NODES, NewNode
from shoald.domain.failures import ArtifactNotFound, FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import LABEL, PARENT, mean_direction
from shoald.domain.records.cluster import NOISE_CENTROID, Cluster, ClusterRun
from shoald.domain.records.collection import Collection, VectorConfig
from shoald.domain.vocabulary import ExecutionStatus, VectorKind, VectorMetric

PROMOTION = "promotion"
_METADATA = "metadata"
_OF_GROUPS = ("summary", "keywords", "hierarchy_level")
RESERVED = frozenset({LABEL, PARENT, "cluster_id", "member_count", *_OF_GROUPS}) | OWN_KEYS
"""Keys of a node's document that are not the caller's to set."""
_UNNAMED = "vector"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentReference:
    """One document of a collection, by id or name of the collection."""

    collection: str
    document_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReference:
    """One completed run of a cluster, by id or name of the cluster."""

    cluster: str
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionRequest:
    """What nodes are made of: a run, or documents and the label of the one node that they become."""

    run: RunReference | None = None
    documents: tuple[DocumentReference, ...] = ()
    node_label: str | None = None
    node_fields: JsonObject = field(default_factory=dict[str, Any])
    vector_name: str | None = None
    provenance: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedDocument:
    """A document that could not be used, and why."""

    collection_id: str
    document_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Promoted:
    """Nodes that are to be stored, the vector that they have, and how many documents they were made of."""

    nodes: tuple[NewNode, ...]
    config: VectorConfig
    documents_used: int
    skipped: tuple[SkippedDocument, ...] = ()
    is_run: bool = False


def check_source(asked: PromotionRequest) -> None:
    """Raise `InvalidFields` unless exactly one source is given, with a label where it needs one."""
    problems = []
    if (asked.run is None) == (not asked.documents):
        message = "give either cluster_run or documents"
        problems.append(FieldProblem(("body", "documents"), "value_error", message))
    elif asked.run is None and not asked.node_label:
        problems.append(FieldProblem(("body", "node_label"), "missing", "Field required with documents"))
    elif asked.run is not None and asked.node_label:
        message = "goes with documents; the nodes of a run have the labels of its groups"
        problems.append(FieldProblem(("body", "node_label"), "value_error", message, asked.node_label))
    problems += [
        FieldProblem(("body", "node_fields", key), "value_error", "is set by the node itself", asked.node_fields[key])
        for key in sorted(RESERVED & set(asked.node_fields))
    ]
    metadata = asked.node_fields.get(_METADATA)
    if metadata is not None and not isinstance(metadata, Mapping):
        where = ("body", "node_fields", _METADATA)
        problems.append(
            FieldProblem(where, "dict_type", "must be an object: where a node comes from goes in", metadata)
        )
    if problems:
        raise InvalidFields(problems)


def nodes_of_documents(uow: UnitOfWork, caller: Caller, asked: PromotionRequest) -> Promoted:
    """Return one node: the mean of the documents' vectors, each of length one.

    Raises `CollectionNotFound`, and `InvalidFields` where no document has the vector, or they cancel out.
    """
    named = {one.collection: find_collection(uow, caller, one.collection) for one in asked.documents}
    config = _config_of([*{one.collection_id: one for one in named.values()}.values()], asked.vector_name)
    _refuse_vector(asked, config)
    rows, skipped = [], []
    for one, vector in _vectors(uow, named, asked.documents, config):
        if isinstance(vector, str):
            collection_id = named[one.collection].collection_id
            skipped.append(SkippedDocument(collection_id=collection_id, document_id=one.document_id, reason=vector))
        else:
            rows.append(vector)
    anchor = mean_direction(np.stack(rows)) if rows else None
    if anchor is None:
        why = "their vectors cancel each other out" if rows else "; ".join(sorted({one.reason for one in skipped}))
        raise InvalidFields.field("body", "documents", message=f"no node can be made of these documents: {why}")
    node = NewNode(
        key="", label=asked.node_label or "", vector=anchor, fields=_fields(asked, {"documents_used": len(rows)})
    )
    return Promoted(nodes=(node,), config=config, documents_used=len(rows), skipped=tuple(skipped))


def promotable_run(uow: UnitOfWork, caller: Caller, reference: RunReference) -> tuple[Cluster, ClusterRun]:
    """Return a completed run and its cluster.

    Raises `ClusterNotFound`, `ExecutionNotFound` and `ArtifactNotFound`.
    """
    cluster = find_cluster(uow, caller, reference.cluster)
    run = find_run(uow, caller, cluster.cluster_id, reference.run_id)
    if run.status != ExecutionStatus.COMPLETED:
        message = f"The execution {run.run_id!r} has not completed; it is {run.status}."
        raise ArtifactNotFound(message, detail={"cluster_id": cluster.cluster_id, "run_id": run.run_id})
    return cluster, run


def nodes_of_run(
    uow: UnitOfWork, caller: Caller, reference: RunReference, asked: PromotionRequest, centroids: Mapping[str, Any]
) -> Promoted:
    """Return a node for each group of a completed run, with its centroid as it is stored.

    Raises as `promotable_run` does, and `InvalidFields` for a run whose groups have no vector that single documents
    have too, or are more than a taxonomy can have nodes.
    """
    cluster, run = promotable_run(uow, caller, reference)
    feature, prefix = _feature_of(cluster, run, asked.vector_name)
    rows = [one for one in run.groups if one["cluster_id"] != NOISE_CENTROID and one["cluster_id"].startswith(prefix)]
    if len(rows) > MOST_NODES:
        message = f"has {len(rows)} groups; at most {MOST_NODES} can be nodes"
        raise InvalidFields.field("body", "cluster_run", "run_id", message=message, value=run.run_id)
    config = _config_of_run(uow, caller, run, feature, _width(centroids, rows))
    _refuse_vector(asked, config)
    labels = labels_of(run)
    nodes = [
        NewNode(
            key=row["cluster_id"],
            label=labels.get(row["cluster_id"]) or row["cluster_id"],
            vector=np.asarray(centroids[row["cluster_id"]], dtype=np.float32),
            fields=_fields(asked, _said(cluster, run, row), _described(row)),
            parent_key=row.get("parent_cluster_id"),
        )
        for row in rows
    ]
    used = sum(int(row["num_members"]) for row in rows if not row.get("parent_cluster_id"))
    return Promoted(nodes=tuple(nodes), config=config, documents_used=used, is_run=True)


def _refuse_vector(asked: PromotionRequest, config: VectorConfig) -> None:
    """Raise `InvalidFields` for a field that the vector of the nodes would hide."""
    if config.name in asked.node_fields:
        message, value = "is the name of the nodes' vector", asked.node_fields[config.name]
        raise InvalidFields.field("body", "node_fields", config.name, message=message, value=value)


def _said(cluster: Cluster, run: ClusterRun, row: JsonObject) -> JsonObject:
    return {"cluster_id": cluster.cluster_id, "run_id": run.run_id, "group_id": row["cluster_id"]}


def _described(row: JsonObject) -> JsonObject:
    known = {key: row[key] for key in _OF_GROUPS if row.get(key) is not None}
    return {"cluster_id": row["cluster_id"], "member_count": int(row["num_members"]), **known}


def _fields(asked: PromotionRequest, origin: JsonObject, described: JsonObject | None = None) -> JsonObject:
    """Return what a node's document says beside its label; where it comes from stands under `metadata.promotion`."""
    given = dict(asked.node_fields)
    metadata = given.pop(_METADATA, None)
    kept = dict(metadata) if isinstance(metadata, Mapping) else {}
    return {**given, **(described or {}), _METADATA: {**kept, PROMOTION: {**origin, **asked.provenance}}}


def _vectors(
    uow: UnitOfWork,
    named: Mapping[str, Collection],
    documents: Sequence[DocumentReference],
    config: VectorConfig,
) -> list[tuple[DocumentReference, npt.NDArray[np.float32] | str]]:
    """Return the vector of each document once, or why it has none that could be used."""
    found: list[tuple[DocumentReference, npt.NDArray[np.float32] | str]] = []
    for name, collection in named.items():
        mine = list(dict.fromkeys(one for one in documents if one.collection == name))
        ids = [one.document_id for one in mine]
        there = uow.collections.payloads(collection.collection_id, ids)
        held = uow.collections.vectors(collection.collection_id, ids, [config.name])
        for one in mine:
            vector = held.get(one.document_id, {}).get(config.name)
            found.append((one, _usable(vector, config, is_there=one.document_id in there)))
    return found


def _usable(vector: Any, config: VectorConfig, *, is_there: bool) -> npt.NDArray[np.float32] | str:
    if not is_there:
        return "there is no such document"
    if not isinstance(vector, np.ndarray) or vector.ndim != 1:
        return f"it has no vector {config.name!r}"
    if len(vector) != config.dimension:
        return f"its vector {config.name!r} has {len(vector)} components, not {config.dimension}"
    return vector if np.linalg.norm(vector) else f"its vector {config.name!r} is no direction"


def _config_of(collections: Sequence[Collection], asked: str | None) -> VectorConfig:
    """Return the vector that is meant, as the first of the collections that have it; raises `InvalidFields`."""
    dense = [config for one in collections for config in one.vector_configs if config.kind == VectorKind.DENSE]
    names = list(dict.fromkeys(config.name for config in dense))
    wanted = asked or (names[0] if len(names) == 1 else None)
    found = next((config for config in dense if wanted in {config.name, config.feature_uri}), None)
    if found is None:
        listed = ", ".join(names) or "none"
        what = "several vectors could be meant" if asked is None and names else f"there is no vector {asked!r}"
        what = what if names or asked else "the documents have no vector"
        raise InvalidFields.field("body", "vector_name", message=f"{what}; there are: {listed}", value=asked)
    return _mirrored(found)


def _mirrored(config: VectorConfig) -> VectorConfig:
    """Return a vector for nodes like that of the documents, compared by the cosine as matching does."""
    return VectorConfig(
        name=config.name,
        dimension=config.dimension,
        metric=VectorMetric.COSINE.value,
        feature_uri=config.feature_uri,
    )


def _feature_of(cluster: Cluster, run: ClusterRun, asked: str | None) -> tuple[str | None, str]:
    """Return the one feature that a run's groups are in, None for the only one, and what their ids begin with."""
    apart = features_apart(run)
    features = list(apart or (cluster.definition.get("vector_config") or {}).get("feature_uris") or ())
    mine = [one for one in features if asked is None or asked in {one, one.rpartition("/")[2]}]
    if asked is not None and features and not mine:
        message = f"the run grouped by {', '.join(features)}"
        raise InvalidFields.field("body", "vector_name", message=message, value=asked)
    if len(features) > 1 and not apart:
        message = f"its groups are in {', '.join(features)} together; a document is matched by one vector"
        raise InvalidFields.field("body", "cluster_run", "run_id", message=message, value=run.run_id)
    if len(mine) > 1:
        message = f"the run grouped by each of {', '.join(mine)}; name one of them"
        raise InvalidFields.field("body", "vector_name", message=message)
    return (mine[0] if mine else asked), (f"{mine[0]}:" if apart else "")


def _width(centroids: Mapping[str, Any], rows: Sequence[JsonObject]) -> int:
    """Return the length of all centroids; raises `InvalidFields` for groups without any."""
    widths = {len(centroids[row["cluster_id"]]) if row["cluster_id"] in centroids else 0 for row in rows}
    if len(widths) != 1 or 0 in widths:
        message = "its groups have no vectors" if rows else "it found no groups"
        raise InvalidFields.field("body", "cluster_run", "run_id", message=message)
    return widths.pop()


def _config_of_run(uow: UnitOfWork, caller: Caller, run: ClusterRun, feature: str | None, width: int) -> VectorConfig:
    """Return the vector of the documents that a run read; as long as its centroids where those documents are gone."""
    read = uow.collections.get_many(caller.namespace_id, list(run.revisions))
    if not read:
        name = _UNNAMED if feature is None else feature.rpartition("/")[2]
        return VectorConfig(name=name, dimension=width, metric=VectorMetric.COSINE.value)
    (resolved,) = resolve_features([] if feature is None else [feature], read) or (None,)
    names = {} if resolved is None else resolved.vector_names
    configs = [one.vector(names[one.collection_id]) for one in read if one.collection_id in names]
    usable = [one for one in configs if one is not None and one.kind == VectorKind.DENSE and one.dimension == width]
    if not usable:
        message = f"its centroids have {width} components, which no single vector of the documents that it read has"
        raise InvalidFields.field("body", "cluster_run", "run_id", message=message, value=run.run_id)
    return _mirrored(usable[0])
