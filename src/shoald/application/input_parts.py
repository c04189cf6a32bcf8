"""The chosen rows of each collection of a run: what is left of them as features are reduced, and the array of all."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.cluster_definitions import ClusterSpec, ResolvedFeature
from shoald.application.ports.vector_snapshots import SparseSnapshot, VectorSnapshot
from shoald.application.sparse_reduction import Reduced
from shoald.domain.clustering.row_order import joined_hashes, row_hashes
from shoald.domain.clustering.spaces import Floats, Integers
from shoald.domain.failures import InvalidVectors
from shoald.domain.records.collection import Collection

_BLOCK_ROWS = 8192


@dataclass(frozen=True, slots=True, eq=False)
class InputPart:
    """The chosen rows of one collection, and its snapshots, one for each feature."""

    collection: Collection
    ids: npt.NDArray[np.bytes_]
    rows: tuple[npt.NDArray[np.int64], ...]
    snapshots: tuple[VectorSnapshot | SparseSnapshot, ...]
    source_documents: int

    @property
    def dense(self) -> tuple[VectorSnapshot, ...]:
        """Its snapshots, none of which is sparse any more."""
        return tuple(one for one in self.snapshots if isinstance(one, VectorSnapshot))


def restricted(part: InputPart, ids: npt.NDArray[np.bytes_]) -> InputPart:
    """Keep these of the documents of a part; both ascend."""
    kept = np.searchsorted(part.ids, ids)
    return replace(part, ids=ids, rows=tuple(rows[kept] for rows in part.rows))


def with_rows(parts: Sequence[InputPart], at: int, reduced: Reduced, *, may_be_zero: bool) -> list[InputPart]:
    """Put the reduced rows in the place of a sparse feature; a document without a direction is left out."""
    found, start = [], 0
    for part in parts:
        sparse, end = part.snapshots[at], start + len(part.ids)
        kept = np.flatnonzero(reduced.has_direction[start:end] | may_be_zero)
        snapshot = VectorSnapshot(
            collection_id=sparse.collection_id,
            vector_name=sparse.vector_name,
            revision=sparse.revision,
            sha256=sparse.sha256,
            ids=part.ids,
            vectors=reduced.vectors[start:end],
            was_read=sparse.was_read,
        )
        rows = tuple(kept if place == at else one[kept] for place, one in enumerate(part.rows))
        snapshots = (*part.snapshots[:at], snapshot, *part.snapshots[at + 1 :])
        found.append(replace(part, ids=part.ids[kept], rows=rows, snapshots=snapshots))
        start = end
    return found


def require_one_kind(parts: Sequence[InputPart]) -> None:
    """Raise `InvalidVectors` for vectors that are sparse in some of the collections only."""
    for same in zip(*(part.snapshots for part in parts), strict=True):
        if len({type(snapshot) for snapshot in same}) > 1:
            raise InvalidVectors(f"The vectors {same[0].vector_name!r} are sparse in some of the collections only.")


def require_equal_widths(parts: Sequence[InputPart]) -> None:
    """Raise `InvalidVectors` for vectors of different dimensions."""
    widths = {tuple(snapshot.vectors.shape[1] for snapshot in part.dense) for part in parts}
    if len(widths) > 1:
        raise InvalidVectors("The collections have vectors of different dimensions.")


def hashes_of(part: InputPart) -> npt.NDArray[np.uint64]:
    """Return (n,) hashes of what the rows of a part hold, in all of its features."""
    pairs = zip(part.dense, part.rows, strict=True)
    found = joined_hashes([row_hashes(snapshot.vectors, rows) for snapshot, rows in pairs])
    for snapshot in part.dense:
        give_back(snapshot.vectors)
    return found


def located(
    parts: Sequence[InputPart], features: Sequence[ResolvedFeature], spec: ClusterSpec, order: Integers
) -> tuple[Floats, Integers]:
    """Return one array and, for each row of the input, where in it the vector lies.

    Where one vector of one collection is clustered that is the mapped file itself: no copy is needed.
    """
    if len(parts) == 1 and len(parts[0].snapshots) == 1:
        return parts[0].dense[0].vectors, parts[0].rows[0][order]
    widths = [snapshot.vectors.shape[1] for snapshot in parts[0].dense]
    vectors = np.empty((len(order), sum(widths)), dtype=np.float32)
    start = 0
    for part in parts:
        end = start + len(part.ids)
        _fill(vectors[start:end], part, _weights(features, spec), normalize=spec.normalize)
        start = end
    return vectors, order


def _weights(features: Sequence[ResolvedFeature], spec: ClusterSpec) -> list[float]:
    """Return the factor of each feature; one without a weight has 1."""
    return [float(spec.weights.get(feature.name, 1.0)) for feature in features]


def _fill(out: Floats, part: InputPart, weights: Sequence[float], *, normalize: bool) -> None:
    """Copy the rows; of several features each is weighed and, if asked, first brought to unit length, so that none
    outweighs by its scale.
    """
    at = 0
    for snapshot, rows, weight in zip(part.dense, part.rows, weights, strict=True):
        width = snapshot.vectors.shape[1]
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = snapshot.vectors[rows[start : start + _BLOCK_ROWS]]
            if len(part.snapshots) > 1:
                lengths = np.linalg.norm(block, axis=1, keepdims=True) if normalize else np.float32(1)
                block = (block / np.where(lengths > 0, lengths, 1) * weight).astype(np.float32)
            out[start : start + _BLOCK_ROWS, at : at + width] = block
        give_back(snapshot.vectors)
        at += width


def give_back(vectors: npt.NDArray[Any]) -> None:
    """Let the kernel take the pages of a mapped file back now: they were read, and count as this process's."""
    under: Any = vectors
    while isinstance(under, np.ndarray):
        under = under.base
    if isinstance(under, mmap.mmap):
        under.madvise(mmap.MADV_DONTNEED)
