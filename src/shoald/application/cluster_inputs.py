"""Collections, conditions and features go in; the documents to cluster and where their vectors lie come out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.cluster_definitions import ClusterSpec, ResolvedFeature, resolve_features
from shoald.application.input_parts import (
    InputPart,
    give_back,
    hashes_of,
    located,
    require_equal_widths,
    require_one_kind,
    restricted,
    with_rows,
)
from shoald.application.listing import condition_of
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.ports.vector_snapshots import SparseSnapshot, VectorSnapshot, VectorSnapshots
from shoald.application.sparse_reduction import Components, Reduced, SparseReduction, joined_rows
from shoald.domain.clustering.row_order import gathered
from shoald.domain.clustering.spaces import Floats, Integers
from shoald.domain.clustering.sparse_svd import SparseRows
from shoald.domain.failures import InvalidVectors, NotEnoughPoints
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import Collection
from shoald.domain.vocabulary import VectorKind

_SAMPLE_SEED = 42


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClusterInput:
    """What a run clusters: row i is the document `ids[i]` of the collection `collections[places[i]]`.

    Its vector is `vectors[rows[i]]`, which may be a mapped file and is an array of the run's own
    where `is_joined`; rows stand in the order of what they hold, so that
    the same vectors under other ids are the same input. `sample` are the rows that the algorithm sees, ascending;
    None means all. `widths` are the columns of each feature. `content` is the hash of all of it, from which everything
    that the run makes can be told apart. `components` are those that the sparse features were reduced to;
    `reduction_bytes` is what that took of memory.
    """

    collections: tuple[Collection, ...]
    ids: npt.NDArray[np.bytes_]
    places: npt.NDArray[np.int32]
    vectors: Floats
    rows: Integers
    features: tuple[ResolvedFeature, ...]
    source_documents: int
    vectors_retrieved: int
    content: str
    record: JsonObject
    sample: Integers | None = None
    widths: tuple[int, ...] = ()
    is_joined: bool = False
    warnings: tuple[str, ...] = ()
    components: Mapping[str, Components] = field(default_factory=dict[str, Components])
    reduction_bytes: int = 0

    @property
    def sampled(self) -> Integers:
        """The rows that the algorithm sees."""
        return np.arange(len(self.ids)) if self.sample is None else self.sample

    @property
    def rest(self) -> Integers:
        """The rows that it does not see."""
        return np.setdiff1d(np.arange(len(self.ids)), self.sampled, assume_unique=True)

    def vectors_of(self, rows: Integers, *, normalize: bool) -> Floats:
        """Return the vectors of some rows, checked; raises `InvalidVectors` that names the documents."""
        try:
            return gathered(self.vectors, self.rows[rows], normalize=normalize, after=lambda: give_back(self.vectors))
        except InvalidVectors as problem:
            bad = [self.ids[rows[row]].decode() for row in problem.detail.get("rows", ())]
            named = f"The vectors of the documents {', '.join(bad)} {problem.detail.get('reason', 'are bad')}."
            detail = {"document_ids": bad, "count": problem.detail.get("count", len(bad))}
            raise InvalidVectors(named if bad else problem.message, detail=detail) from problem
        finally:
            give_back(self.vectors)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pins:
    """What another run read: the content of each vector of each collection, and the ids of its documents."""

    content: Mapping[str, Mapping[str, str]]
    ids: Mapping[str, npt.NDArray[np.bytes_]]

    @classmethod
    def of(cls, record: JsonObject, ids: npt.NDArray[np.bytes_], collection_ids: npt.NDArray[Any]) -> Pins:
        """Read them from the run's record and its members."""
        content = {one["collection_id"]: one["snapshots"] for one in record["collections"]}
        return cls(content=content, ids={name: np.sort(ids[collection_ids == name]) for name in content})


class ClusterInputs:
    """Reads what runs cluster."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, snapshots: VectorSnapshots, reduction: SparseReduction
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._snapshots = snapshots
        self._reduction = reduction

    def read(
        self,
        collections: Sequence[Collection],
        spec: ClusterSpec,
        step: Callable[[float], None],
        *,
        pins: Pins | None = None,
        components: Mapping[str, Components] | None = None,
    ) -> ClusterInput:
        """Return the documents that meet the conditions and have every feature, in the order of what they hold.

        `pins` ask for what another run read instead, `components` for sparse features along those of another.
        Raises `NotEnoughPoints` when there are none, `InvalidFields` for a feature that there is not, and
        `ArtifactNotFound` when what is pinned is kept no longer.
        """
        features = resolve_features(spec.features, collections)
        filled = [one for one in collections if one.vector_configs]
        reading, reducing = (part_of(step, at, 2) for at in (0, 1)) if _any_sparse(filled, features) else (step, step)
        parts = [
            self._part(collection, features, spec, part_of(reading, at, len(filled)), pins)
            for at, collection in enumerate(filled)
        ]
        _require_points(parts, collections)
        require_one_kind(parts)
        found = sum(len(part.ids) for part in parts)
        dense, reduced = self._dense(parts, features, spec, components, reducing, is_fresh=pins is not None)
        _require_points(dense, collections)
        left_out = found - sum(len(part.ids) for part in dense)
        return _with_kinds(_combined(dense, features, spec), reduced, left_out, collections)

    def _dense(
        self,
        parts: Sequence[InputPart],
        features: Sequence[ResolvedFeature],
        spec: ClusterSpec,
        components: Mapping[str, Components] | None,
        step: Callable[[float], None],
        *,
        is_fresh: bool,
    ) -> tuple[list[InputPart], dict[str, Reduced]]:
        """Reduce the sparse features; documents without a direction are left out, and count nothing in components.

        So a run that repeats this one on its members finds the same components.
        """
        while True:
            found, reduced = list(parts), dict[str, Reduced]()
            for at, feature in enumerate(features):
                if isinstance(found[0].snapshots[at], SparseSnapshot) and any(len(part.ids) for part in found):
                    known = None if components is None else components.get(feature.name)
                    done = part_of(part_of(step, 0, 2), at, len(features))
                    reduced[feature.name] = one = self._reduced(found, at, spec, known, done, is_fresh=is_fresh)
                    found = with_rows(found, at, one, may_be_zero=not spec.normalize)
            if components is not None or not any(len(part.ids) for part in found):
                return found, reduced
            if all(len(part.ids) == len(kept.ids) for part, kept in zip(parts, found, strict=True)):
                return found, reduced
            parts = [restricted(part, kept.ids) for part, kept in zip(parts, found, strict=True)]
            step = part_of(step, 1, 2)  # how often this is done shows only as it is done

    def _reduced(
        self,
        parts: Sequence[InputPart],
        at: int,
        spec: ClusterSpec,
        known: Components | None,
        step: Callable[[float], None],
        *,
        is_fresh: bool,
    ) -> Reduced:
        """Reduce one sparse feature of all collections."""
        rows = [SparseRows.of(*part.snapshots[at].of_rows(part.rows[at])) for part in parts]  # type: ignore[union-attr]
        together = joined_rows(rows)
        if known is not None:
            return self._reduction.projected(together, known)
        return self._reduction.fitted(together, normalize=spec.normalize, is_fresh=is_fresh, step=step)

    def _part(
        self,
        collection: Collection,
        features: Sequence[ResolvedFeature],
        spec: ClusterSpec,
        step: Callable[[float], None],
        pins: Pins | None,
    ) -> InputPart:
        snapshots = []
        for at, feature in enumerate(features):
            content = None if pins is None else pins.content[collection.collection_id][feature.name]
            opened = self._opened(collection, feature, part_of(step, at, len(features)), content)
            snapshots.append(opened)
        ids = snapshots[0].ids
        for other in snapshots[1:]:
            ids = np.intersect1d(ids, other.ids, assume_unique=True)
        source_documents = collection.document_count
        if pins is not None:
            source_documents = len(pins.ids[collection.collection_id])
            ids = np.intersect1d(ids, pins.ids[collection.collection_id], assume_unique=True)
        elif spec.filters:
            allowed = self._allowed(collection, spec)
            source_documents = len(allowed)
            ids = np.intersect1d(ids, allowed, assume_unique=True)
        rows = tuple(np.searchsorted(one.ids, ids) for one in snapshots)
        return InputPart(collection, ids, rows, tuple(snapshots), source_documents)

    def _opened(
        self, collection: Collection, feature: ResolvedFeature, step: Callable[[float], None], content: str | None
    ) -> VectorSnapshot | SparseSnapshot:
        """Return the vectors of one feature: as they are, pooled, or sparse."""
        config = collection.vector(feature.vector_names[collection.collection_id])
        assert config is not None
        collection_id, revision = collection.collection_id, collection.revision
        if config.kind == VectorKind.SPARSE:
            return self._snapshots.open_sparse(
                collection_id, config.name, revision=revision, step=step, content=content
            )
        is_multi = config.kind == VectorKind.MULTI_VECTOR
        opener = self._snapshots.open_pooled if is_multi else self._snapshots.open
        return opener(
            collection_id, config.name, dimension=config.dimension, revision=revision, step=step, content=content
        )

    def _allowed(self, collection: Collection, spec: ClusterSpec) -> npt.NDArray[np.bytes_]:
        with self._open_unit_of_work() as uow:
            return uow.collections.document_ids(collection.collection_id, condition_of(spec.filters))


def part_of(step: Callable[[float], None], at: int, parts: int) -> Callable[[float], None]:
    """Return the progress of one of several equal parts."""
    return lambda done: step((at + done) / parts)


def _sample(found: int, size: int | None) -> Integers | None:
    """Return which rows the algorithm sees, ascending; None for all."""
    if size is None or size >= found:
        return None
    chosen = np.random.default_rng(_SAMPLE_SEED).choice(found, size, replace=False)
    return np.sort(chosen)


def _combined(parts: Sequence[InputPart], features: tuple[ResolvedFeature, ...], spec: ClusterSpec) -> ClusterInput:
    """Put the collections' rows into one order."""
    require_equal_widths(parts)
    found = sum(len(part.ids) for part in parts)
    ids = np.concatenate([part.ids for part in parts])
    places = np.repeat(np.arange(len(parts), dtype=np.int32), [len(part.ids) for part in parts])
    hashes = np.concatenate([hashes_of(part) for part in parts])
    order = np.lexsort((places, ids, hashes))
    sample = _sample(found, spec.sample_size)
    record = _record(parts, features, spec, found if sample is None else len(sample))
    vectors, rows = located(parts, features, spec, order)
    return ClusterInput(
        collections=tuple(part.collection for part in parts),
        ids=ids[order],
        places=places[order],
        vectors=vectors,
        rows=rows,
        features=features,
        source_documents=sum(part.source_documents for part in parts),
        vectors_retrieved=found,
        content=_content(record, ids[order], places[order]),
        record=record,
        sample=sample,
        widths=tuple(snapshot.vectors.shape[1] for snapshot in parts[0].dense),
        is_joined=len(parts) > 1 or len(features) > 1,
    )


def _any_sparse(collections: Sequence[Collection], features: Sequence[ResolvedFeature]) -> bool:
    found = (one.vector(feature.vector_names[one.collection_id]) for one in collections for feature in features)
    return any(config is not None and config.kind == VectorKind.SPARSE for config in found)


def _require_points(parts: Sequence[InputPart], collections: Sequence[Collection]) -> None:
    if not any(len(part.ids) for part in parts):
        message = "There are no documents with vectors to cluster."
        raise NotEnoughPoints(message, detail={"collection_ids": [one.collection_id for one in collections]})


def _with_kinds(
    given: ClusterInput, reduced: Mapping[str, Reduced], left_out: int, collections: Sequence[Collection]
) -> ClusterInput:
    """Say in the record and the warnings what became of features that are not dense."""
    notes: dict[str, dict[str, Any]] = {name: {**one.note(), "left_out": left_out} for name, one in reduced.items()}
    for feature in given.features:
        named = ((one, feature.vector_names.get(one.collection_id)) for one in collections)
        kinds = {config.kind for one, name in named if name and (config := one.vector(name)) is not None}
        if VectorKind.MULTI_VECTOR in kinds:
            notes[feature.name] = {"kind": VectorKind.MULTI_VECTOR.value, "method": "mean_of_unit_vectors"}
    if not notes:
        return given
    return replace(
        given,
        record={**given.record, "reductions": notes},
        components={name: one.components for name, one in reduced.items()},
        reduction_bytes=max((one.peak_bytes for one in reduced.values()), default=0),
        is_joined=given.is_joined or bool(reduced),
        warnings=(*given.warnings, *(_said(name, note) for name, note in notes.items()), *_left_out(left_out)),
    )


def _said(name: str, note: JsonObject) -> str:
    if note["kind"] == VectorKind.MULTI_VECTOR:
        return f"the multi-vectors {name!r} were pooled: the mean of each document's vectors, each of unit length"
    share = note["variance_kept"]
    kept = "" if share is None else f", which keep {share:.1%} of the variance"
    fitted = note.get("fitted_rows")
    of_rows = "" if fitted is None else f" of {fitted} of them"
    how = f"{note['components']} components by truncated SVD{of_rows}{kept}"
    return f"the sparse vectors {name!r} ({note['terms']} terms) were reduced to {how}"


def _left_out(count: int) -> tuple[str, ...]:
    return (f"{count} documents were left out: none of their terms lies along the components",) if count else ()


def _record(
    parts: Sequence[InputPart], features: Sequence[ResolvedFeature], spec: ClusterSpec, kept: int
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
