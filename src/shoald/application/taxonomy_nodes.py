"""The nodes of taxonomies: documents of a node collection, read as a tree with vectors, and stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.access import Caller
from shoald.application.collections import NewCollection, add_collection
from shoald.application.document_events import batch_written
from shoald.application.document_vectors import check_payloads, check_vectors
from shoald.application.listing import Selection
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import AlreadyExists, Conflict, InvalidVectors
from shoald.domain.identifiers import looks_like_an_id, new_collection_id, new_document_id
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import LABEL, PARENT, NodeTree, tree_of
from shoald.domain.records.collection import Collection, CollectionDocument, DocumentBatch, VectorColumn, VectorConfig
from shoald.domain.records.taxonomy import Taxonomy
from shoald.domain.vocabulary import VectorKind

MOST_NODES = 20_000
"""Nodes that documents can be matched with: all of them are in memory, with their vectors, while that is done."""
_AT_ONCE = 1000
_LONGEST_NAME = 100
_BY = "taxonomy"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewNode:
    """A node that is to be stored: its label, its (d,) vector, and what else its document says.

    `key` is its name among those that are stored with it, `parent_key` that of the node above it.
    """

    key: str
    label: str
    vector: npt.NDArray[np.float32]
    fields: JsonObject = field(default_factory=dict[str, Any])
    parent_key: str | None = None
    node_id: str = field(default_factory=new_document_id)


def retriever_of(collection_id: str) -> str:
    """Return the id of the vector search that every collection has.

    >>> retriever_of("col_0a1b2c3d4e")
    'ret_0a1b2c3d4e'
    """
    return "ret_" + collection_id.removeprefix("col_")


def node_collection(uow: UnitOfWork, taxonomy: Taxonomy) -> Collection:
    """Return the collection of a taxonomy's nodes.

    Raises `Conflict` when it, or its vector, is gone, and when it holds more than can be matched with.
    """
    found = uow.collections.find(taxonomy.namespace_id, taxonomy.node_collection_id)
    if found is None:
        raise _not_ready(taxonomy)
    node_vector(found, taxonomy)
    if found.document_count > MOST_NODES:
        message = f"The taxonomy {taxonomy.taxonomy_name!r} has {found.document_count} nodes, more than {MOST_NODES}."
        raise Conflict(message, detail={"taxonomy_id": taxonomy.taxonomy_id, "node_count": found.document_count})
    return found


def node_vector(found: Collection, taxonomy: Taxonomy) -> VectorConfig:
    """Return the vector that the nodes in a collection are matched by; raises `Conflict` when it is gone."""
    config = found.vector(taxonomy.vector_name)
    if config is None or config.kind != VectorKind.DENSE:
        raise _not_ready(taxonomy)
    return config


def can_match(found: Collection, taxonomy: Taxonomy) -> bool:
    """Say whether documents can be matched with what a node collection holds."""
    config = found.vector(taxonomy.vector_name)
    return config is not None and config.kind == VectorKind.DENSE and found.document_count <= MOST_NODES


def _not_ready(taxonomy: Taxonomy) -> Conflict:
    message = f"The taxonomy {taxonomy.taxonomy_name!r} is not ready: its node collection is gone."
    detail = {"taxonomy_id": taxonomy.taxonomy_id, "node_collection_id": taxonomy.node_collection_id}
    return Conflict(message, detail=detail)


def read_nodes(uow: UnitOfWork, taxonomy: Taxonomy, found: Collection) -> NodeTree:
    """Return the nodes in a collection with their vectors, all of them in memory; raises `Conflict` without these."""
    config = node_vector(found, taxonomy)
    payloads: dict[str, JsonObject] = {}
    vectors: dict[str, Any] = {}
    for documents in _pages(uow, found.collection_id):
        ids = [one.document_id for one in documents]
        payloads |= {one.document_id: one.payload for one in documents}
        named = uow.collections.vectors(found.collection_id, ids, [config.name])
        vectors |= {one: held[config.name] for one, held in named.items() if config.name in held}
    return tree_of(payloads, vectors, config.dimension)


def read_outline(uow: UnitOfWork, taxonomy: Taxonomy) -> NodeTree:
    """Return the nodes without their vectors, as many as can be matched with; none where their collection is gone."""
    if uow.collections.find(taxonomy.namespace_id, taxonomy.node_collection_id) is None:
        return tree_of({}, {}, 1)
    payloads: dict[str, JsonObject] = {}
    for documents in _pages(uow, taxonomy.node_collection_id):
        payloads |= {one.document_id: one.payload for one in documents}
        if len(payloads) >= MOST_NODES:
            break
    return tree_of(payloads, {}, 1)


def add_node_collection(uow: UnitOfWork, caller: Caller, name: str, config: VectorConfig, at: datetime) -> Collection:
    """Make the collection of a taxonomy's nodes, which has one vector, under the first name that is free."""
    for one in _names(name):
        new = NewCollection(
            collection_name=one,
            description=f"The nodes of the taxonomy {name!r}.",
            vector_configs=(config,),
            metadata={"taxonomy_name": name},
        )
        if looks_like_an_id(one) or uow.collections.is_taken(caller.namespace_id, one):
            continue
        return add_collection(uow, caller, new, at)
    raise AlreadyExists(detail={"taxonomy_name": name})


def store_nodes(uow: UnitOfWork, found: Collection, vector_name: str, nodes: Sequence[NewNode], at: datetime) -> None:
    """Store new nodes into a node collection.

    Raises `Conflict` when there are more than can be matched with, `InvalidVectors` and `InvalidFields` for what it
    cannot hold.
    """
    ids = {one.key: one.node_id for one in nodes}
    held = uow.collections.lock(found.collection_id)
    config = None if held is None else held.vector(vector_name)
    if held is None or config is None:
        raise Conflict("The node collection is gone.", detail={"collection_id": found.collection_id})
    if (total := held.document_count + len(nodes)) > MOST_NODES:
        message = f"The taxonomy would have {total} nodes, more than {MOST_NODES}."
        raise Conflict(message, detail={"collection_id": found.collection_id, "node_count": total})
    for one in nodes:
        if one.vector.shape != (config.dimension,):
            message = f"The node {one.label!r} has {len(one.vector)} components; {config.dimension} are expected."
            raise InvalidVectors(message, detail={"vector": vector_name, "expected": config.dimension})
    batch = DocumentBatch(
        ids=[one.node_id for one in nodes],
        payloads=[_payload(one, ids) for one in nodes],
        vectors=[VectorColumn(name=vector_name, values=np.stack([one.vector for one in nodes]).astype(np.float32))],
    )
    check_payloads(batch)
    check_vectors(batch, held.vector_configs)
    uow.collections.put_documents(held.collection_id, [batch], at=at)
    behind = uow.collections.lock(held.collection_id) or held
    for event in batch_written(behind, at, added=len(nodes), updated=0, by=_BY, began_at=at):
        uow.events.add(event)


def _payload(node: NewNode, ids: dict[str, str]) -> JsonObject:
    above = {} if node.parent_key is None or node.parent_key not in ids else {PARENT: ids[node.parent_key]}
    return {**node.fields, LABEL: node.label, **above}


def _pages(uow: UnitOfWork, collection_id: str) -> Iterator[Sequence[CollectionDocument]]:
    after: str | None = None
    while documents := uow.collections.documents([collection_id], Selection(limit=_AT_ONCE, after=after)):
        yield documents
        after = f"{collection_id}/{documents[-1].document_id}"


def _names(name: str) -> Iterator[str]:
    plain = "nodes"
    for more in (plain, f"{plain} ({new_collection_id()})"):
        yield f"{name[: _LONGEST_NAME - len(more) - 1]}_{more}"
