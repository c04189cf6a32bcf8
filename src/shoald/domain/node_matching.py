"""Nodes with vectors and vectors of documents go in; the nodes that each document belongs to come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.json_types import JsonObject
from shoald.domain.records.taxonomy import TaxonomyNode

LABEL = "label"
PARENT = "parent_node_id"
_CELLS = 1 << 22
_TOP = -1

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Assignment:
    """One node that a document belongs to, and the cosine between the two."""

    node: TaxonomyNode
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeTree:
    """Nodes, those above before those below, and the vector that each is matched by: (k, d), NaN for one without.

    `depth` is the number of levels; 0 without nodes.
    """

    nodes: tuple[TaxonomyNode, ...]
    vectors: Floats
    depth: int = field(init=False)
    _parents: Integers = field(init=False)
    _leaves: Integers = field(init=False)
    _unit: Floats = field(init=False)

    def __post_init__(self) -> None:
        numbers = {one.node_id: at for at, one in enumerate(self.nodes)}
        parents = np.array([numbers.get(one.parent_id or "", _TOP) for one in self.nodes], dtype=np.int64)
        usable = np.flatnonzero(np.isfinite(self.vectors).all(axis=1))
        object.__setattr__(self, "depth", max((one.level + 1 for one in self.nodes), default=0))
        object.__setattr__(self, "_parents", parents)
        object.__setattr__(self, "_leaves", np.setdiff1d(usable, parents))
        object.__setattr__(self, "_unit", unit_or_nan(self.vectors))

    def assigned(self, vectors: Floats, *, top_k: int = 1, min_score: float = 0.0) -> list[list[Assignment]]:
        """Return for each row of (n, d) at most `top_k` nodes by falling cosine, ties by the order of the nodes.

        A document goes to its nearest lowest nodes. Where one is less than `min_score` near, the nearest node above it
        that is near enough stands for it, so that a document is named as exactly as it can be; where there is none, it
        is in none. A row that is no direction is in no node. O(n · k · d), a few thousand rows at a time.
        """
        found: list[list[Assignment]] = []
        for block in _blocks(unit_or_nan(vectors), len(self.nodes)):
            cosines = np.nan_to_num(block @ self._unit.T, nan=-np.inf)
            chosen = self._near_enough(cosines, self._leaves[_largest(cosines[:, self._leaves], top_k)], min_score)
            found.extend(self._assignments(row, nodes) for row, nodes in zip(cosines, chosen, strict=True))
        return found

    def _near_enough(self, cosines: Floats, chosen: Integers, min_score: float) -> Integers:
        """Climb from nodes that are too far to those above them, past the top where all are; O(levels · n · top_k)."""
        rows = np.arange(len(cosines))[:, None]
        for _ in range(self.depth):
            is_far = (chosen != _TOP) & (cosines[rows, chosen] < min_score)
            chosen = np.where(is_far, self._parents[chosen], chosen)
        return chosen

    def _assignments(self, cosines: Floats, chosen: Integers) -> list[Assignment]:
        """Keep each node once: two may have climbed to the same."""
        kept = [int(at) for at in dict.fromkeys(chosen.tolist()) if at != _TOP and np.isfinite(cosines[at])]
        found = [Assignment(self.nodes[at], float(np.clip(cosines[at], -1.0, 1.0))) for at in kept]
        return sorted(found, key=lambda one: -one.score)


def _largest(values: Floats, count: int) -> Integers:
    """Return the places of the largest values of each row, the largest first, ties by place; none without columns."""
    if count == 1 and values.shape[1]:
        best: Integers = np.argmax(values, axis=1)
        return best[:, None]
    order: Integers = np.argsort(-values, axis=1, kind="stable")
    return order[:, :count]


def unit_or_nan(vectors: Floats) -> Floats:
    """Return (n, d) rows of length one; NaN for rows that are no direction.

    >>> unit_or_nan(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [nan, nan]]
    """
    wide = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lengths > 0, wide / lengths, np.nan).astype(np.float32)


def mean_direction(vectors: Floats) -> Floats | None:
    """Return the (d,) mean of rows of length one; None where they cancel out."""
    mean = np.asarray(unit_or_nan(vectors).mean(axis=0, dtype=np.float64), dtype=np.float32)
    return mean if float(np.linalg.norm(mean)) > np.finfo(np.float32).eps * len(mean) else None


def tree_of(payloads: Mapping[str, JsonObject], vectors: Mapping[str, Floats], dimension: int) -> NodeTree:
    """Return the nodes that the documents of a node collection are, those above before those below.

    A document's `label` names its node (its id where there is none), `parent_node_id` the document above it; one that
    there is not, or that lies below it, is none.
    """
    nodes = [_node(node_id, payloads) for node_id in payloads]
    nodes.sort(key=lambda one: (one.level, one.node_id))
    nothing = np.full(dimension, np.nan, dtype=np.float32)
    rows = [vectors.get(one.node_id, nothing) for one in nodes]
    return NodeTree(nodes=tuple(nodes), vectors=np.array(rows, dtype=np.float32).reshape(len(nodes), dimension))


def _node(node_id: str, payloads: Mapping[str, JsonObject]) -> TaxonomyNode:
    ancestors = _ancestors(node_id, payloads)
    labels = [_label(one, payloads) for one in (*ancestors, node_id)]
    return TaxonomyNode(
        node_id=node_id, label=labels[-1], path=tuple(labels), ancestor_ids=ancestors, payload=payloads[node_id]
    )


def _label(node_id: str, payloads: Mapping[str, JsonObject]) -> str:
    label: Any = payloads[node_id].get(LABEL)
    return label if isinstance(label, str) and label else node_id


def _ancestors(node_id: str, payloads: Mapping[str, JsonObject]) -> tuple[str, ...]:
    """Return those above, the topmost first; a chain that comes back to where it was has no one above."""
    found: list[str] = []
    parent: Any = payloads[node_id].get(PARENT)
    while isinstance(parent, str) and parent in payloads:
        if parent == node_id or parent in found:
            return ()
        found.append(parent)
        parent = payloads[parent].get(PARENT)
    return tuple(reversed(found))


def _blocks(vectors: Floats, nodes: int) -> Iterator[Floats]:
    rows = max(1, _CELLS // max(1, nodes))
    for at in range(0, len(vectors), rows):
        yield vectors[at : at + rows]


def described(assignments: Sequence[Assignment]) -> list[dict[str, Any]]:
    """Return assignments as they are written into documents."""
    return [
        {"node_id": one.node.node_id, "label": one.node.label, "score": one.score, "path": list(one.node.path)}
        for one in assignments
    ]
