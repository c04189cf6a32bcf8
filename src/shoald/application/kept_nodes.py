"""Nodes of taxonomies that were read once and are asked for again; what was changed since is read anew."""

from __future__ import annotations

import json
from dataclasses import dataclass

from shoald.application.classified_values import Classifier
from shoald.application.kept_arrays import KeptArrays
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.taxonomy_nodes import node_collection, read_nodes
from shoald.domain.node_matching import NodeTree
from shoald.domain.records.collection import Collection
from shoald.domain.records.taxonomy import Taxonomy

# what Python takes for a node beside its text, and for a letter of that
_BYTES_OF_NODE = 1000
_BYTES_OF_LETTER = 4


@dataclass(frozen=True, slots=True)
class _Held:
    """Nodes, and about how many bytes they take."""

    tree: NodeTree
    nbytes: int


class KeptNodes:
    """The nodes that this process used last, up to a number of bytes together (64 MiB); larger ones are not kept."""

    def __init__(self) -> None:
        self._kept = KeptArrays()

    def classifier(self, uow: UnitOfWork, taxonomy: Taxonomy) -> Classifier:
        """Return what a taxonomy classifies by; raises `Conflict` as `node_collection` does.

        Two statements where the nodes are known, whoever changed them last. What they are known by is asked before they
        are read, so that they are never older than it.
        """
        found = node_collection(uow, taxonomy)
        key = _key(taxonomy, found, uow.enrichments.fields_version(found.collection_id))
        return Classifier(taxonomy, self._kept.get(key, lambda: _held(read_nodes(uow, taxonomy, found))).tree)


def _key(taxonomy: Taxonomy, found: Collection, fields_version: int) -> str:
    """Return what is another after each change: enrichments raise a number of their own.

    The time tells two changes apart of which the first was taken back, and read by who made it.
    """
    changed = f"{found.revision}/{fields_version}/{found.updated_at.isoformat()}"
    return f"{found.collection_id}/{changed}/{taxonomy.vector_name}"


def _held(tree: NodeTree) -> _Held:
    letters = sum(len(json.dumps(one.payload, ensure_ascii=False)) for one in tree.nodes)
    return _Held(tree, 2 * tree.vectors.nbytes + _BYTES_OF_NODE * len(tree.nodes) + _BYTES_OF_LETTER * letters)
