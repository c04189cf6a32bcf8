"""Collections, conditions and features go in; the documents to cluster and one array of their vectors come out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.application.cluster_definitions import ClusterSpec, ResolvedFeature, resolve_features
from shoald.application.listing import condition_of
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.ports.vector_snapshots import VectorSnapshot, VectorSnapshots
from shoald.domain.clustering.spaces import Floats
from shoald.domain.failures import InvalidVectors, NotEnoughPoints
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import Collection

_SAMPLE_SEED = 42
_BLOCK_ROWS = 8192


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterInput:
    """What a run clusters: row i of `vectors` is the document `ids[i]` of the collection `collections[places[i]]`.

    `content` is the hash of all of it, from which everything that the run makes can be told apart.
    """

    collections: tuple[Collection, ...]
    ids: npt.NDArray[np.bytes_]
    places: npt.NDArray[np.int32]
    vectors: Floats
    features: tuple[ResolvedFeature, ...]
    source_documents: int
    vectors_retrieved: int
    content: str
    record: JsonObject
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The chosen rows of one collection, and its snapshots, one for each feature."""

    collection: Collection
    ids: npt.NDArray[np.bytes_]
    rows: tuple[npt.NDArray[np.int64], ...]
    snapshots: tuple[VectorSnapshot, ...]
    source_documents: int


class ClusterInputs:
    """Reads what runs cluster."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, snapshots: VectorSnapshots) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._snapshots = snapshots

    def read(self, collections: Sequence[Collection], spec: ClusterSpec, step: Callable[[float], None]) -> ClusterInput:
        """Return the documents that meet the conditions and have every feature, in the order of their ids.

        Raises `NotEnoughPoints` when there are none, and `InvalidFields` for a feature that there is not.
        """
        features = resolve_features(spec.features, collections)
        filled = [one for one in collections if one.vector_configs]
        parts = [
            self._part(collection, features, spec, part_of(step, at, len(filled)))
            for at, collection in enumerate(filled)
        ]
        found = sum(len(part.ids) for part in parts)
        if found == 0:
            message = "There are no documents with vectors to cluster."
            raise NotEnoughPoints(message, detail={"collection_ids": [one.collection_id for one in collections]})
        chosen = _sample(found, spec.sample_size)
        return _combined(parts, features, spec, chosen)

    def _part(
        self,
        collection: Collection,
        features: Sequence[ResolvedFeature],
        spec: ClusterSpec,
        step: Callable[[float], None],
    ) -> _Part:
        snapshots = []
        for at, feature in enumerate(features):
            name = feature.vector_names[collection.collection_id]
            config = collection.vector(name)
            assert config is not None
            opened = self._snapshots.open(
                collection.collection_id,
                name,
                dimension=config.dimension,
                revision=collection.revision,
                step=part_of(step, at, len(features)),
            )
            snapshots.append(opened)
        ids = snapshots[0].ids
        for other in snapshots[1:]:
            ids = np.intersect1d(ids, other.ids, assume_unique=True)
        source_documents = collection.document_count
        if spec.filters:
            allowed = self._allowed(collection, spec)
            source_documents = len(allowed)
            ids = np.intersect1d(ids, allowed, assume_unique=True)
        rows = tuple(np.searchsorted(one.ids, ids) for one in snapshots)
        return _Part(collection, ids, rows, tuple(snapshots), source_documents)

    def _allowed(self, collection: Collection, spec: ClusterSpec) -> npt.NDArray[np.bytes_]:
        with self._open_unit_of_work() as uow:
            return uow.collections.document_ids(collection.collection_id, condition_of(spec.filters))


def part_of(step: Callable[[float], None], at: int, parts: int) -> Callable[[float], None]:
    """Return the progress of one of several equal parts."""
    return lambda done: step((at + done) / parts)


def _sample(found: int, size: int | None) -> npt.NDArray[np.int64] | None:
    """Return which rows are clustered, ascending; None for all."""
    if size is None or size >= found:
        return None
    chosen = np.random.default_rng(_SAMPLE_SEED).choice(found, size, replace=False)
    return np.sort(chosen)


def _combined(
    parts: Sequence[_Part],
    features: tuple[ResolvedFeature, ...],
    spec: ClusterSpec,
    chosen: npt.NDArray[np.int64] | None,
) -> ClusterInput:
    found = sum(len(part.ids) for part in parts)
    kept = np.arange(found) if chosen is None else chosen
    widths = [snapshot.vectors.shape[1] for snapshot in parts[0].snapshots]
    whole = _whole(parts, kept)
    vectors = np.empty((len(kept), sum(widths)), dtype=np.float32) if whole is None else whole
    ids, places, start, filled = [], [], 0, 0
    for place, part in enumerate(parts):
        if [snapshot.vectors.shape[1] for snapshot in part.snapshots] != widths:
            raise InvalidVectors("The collections have vectors of different dimensions.")
        mine = kept[(kept >= start) & (kept < start + len(part.ids))] - start
        if whole is None:
            _fill(vectors[filled : filled + len(mine)], part, mine, _weights(features, spec), normalize=spec.normalize)
        ids.append(part.ids[mine])
        places.append(np.full(len(mine), place, dtype=np.int32))
        start, filled = start + len(part.ids), filled + len(mine)
    record = _record(parts, features, spec, len(kept))
    all_ids, all_places = np.concatenate(ids), np.concatenate(places)
    return ClusterInput(
        collections=tuple(part.collection for part in parts),
        ids=all_ids,
        places=all_places,
        vectors=vectors,
        features=features,
        source_documents=sum(part.source_documents for part in parts),
        vectors_retrieved=found,
        content=_content(record, all_ids, all_places),
        record=record,
    )


def _whole(parts: Sequence[_Part], kept: npt.NDArray[np.int64]) -> Floats | None:
    """Return the mapped file itself where all of one vector of one collection is clustered: no copy is needed."""
    if len(parts) > 1 or len(parts[0].snapshots) > 1:
        return None
    (snapshot,) = parts[0].snapshots
    return snapshot.vectors if len(snapshot.ids) == len(kept) else None


def _weights(features: Sequence[ResolvedFeature], spec: ClusterSpec) -> list[float]:
    """Return the factor of each feature; one without a weight has 1."""
    return [float(spec.weights.get(feature.name, 1.0)) for feature in features]


def _fill(out: Floats, part: _Part, mine: npt.NDArray[np.int64], weights: Sequence[float], *, normalize: bool) -> None:
    """Copy the chosen rows; of several features each is weighed and, if asked, first brought to unit length, so that
    none outweighs by its scale.
    """
    at = 0
    for snapshot, rows, weight in zip(part.snapshots, part.rows, weights, strict=True):
        width = snapshot.vectors.shape[1]
        for start in range(0, len(mine), _BLOCK_ROWS):
            block = snapshot.vectors[rows[mine[start : start + _BLOCK_ROWS]]]
            if len(part.snapshots) > 1:
                lengths = np.linalg.norm(block, axis=1, keepdims=True) if normalize else np.float32(1)
                block = (block / np.where(lengths > 0, lengths, 1) * weight).astype(np.float32)
            out[start : start + _BLOCK_ROWS, at : at + width] = block
        at += width


def _record(
    parts: Sequence[_Part], features: Sequence[ResolvedFeature], spec: ClusterSpec, kept: int
) -> dict[str, object]:
    """Say what was read, so that a run can be done again."""
    return {
        "collections": [
            {
                "collection_id": part.collection.collection_id,
                "revision": max(snapshot.revision for snapshot in part.snapshots),
                "index_id": part.collection.index_id,
                "index_build_id": part.collection.index_build_id,
                "snapshots": {
                    feature.name: snapshot.sha256 for feature, snapshot in zip(features, part.snapshots, strict=True)
                },
            }
            for part in parts
        ],
        "features": [feature.name for feature in features],
        "filters": spec.filters,
        "sample_size": spec.sample_size,
        "sample_seed": _SAMPLE_SEED if spec.sample_size is not None and kept == spec.sample_size else None,
    }


def _content(record: Mapping[str, object], ids: npt.NDArray[np.bytes_], places: npt.NDArray[np.int32]) -> str:
    hashes = [list(one["snapshots"].values()) for one in record["collections"]]  # type: ignore[attr-defined]
    digest = hashlib.sha256(repr((hashes, ids.shape)).encode())
    digest.update(b"\0".join(ids.tolist()))
    digest.update(places.tobytes())
    return digest.hexdigest()
