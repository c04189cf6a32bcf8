"""Namespaces, collections and their documents: vectors with a payload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import VectorKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorConfig:
    """One named vector of a namespace or collection: its dimension and the metric it is compared by.

    The dimension of a sparse vector is the number of terms there may be: indices are below it. That of a multi-vector
    is the width of each of its rows.
    """

    name: str
    dimension: int
    metric: str
    feature_uri: str | None = None
    kind: str = VectorKind.DENSE.value


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadIndex:
    """One payload field that pages of documents are chosen by: its dotted path, and what its values are."""

    field_name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """What everything belongs to; the namespace `default` exists from the start."""

    namespace_id: str
    namespace_name: str
    description: str | None
    mode: str
    vector_configs: tuple[VectorConfig, ...]
    created_at: datetime
    updated_at: datetime
    payload_indexes: tuple[PayloadIndex, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceCounts:
    """How much a namespace holds, and what keeps it from being deleted: projects, and jobs that have not ended."""

    documents: int = 0
    collections: int = 0
    projects: int = 0
    open_job_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Documents of one namespace that are clustered together; `index_id` is set on those that an index made.

    `revision` is raised by every write to its documents; `index_build_id` is the build whose chunks they are. `source`
    and `feature_extractor` are what its maker said of them, empty where nothing was.
    """

    collection_id: str
    namespace_id: str
    collection_name: str
    description: str | None
    index_id: str | None
    vector_configs: tuple[VectorConfig, ...]
    metadata: JsonObject
    document_count: int
    created_at: datetime
    updated_at: datetime
    index_build_id: str | None = None
    revision: int = 0
    source: JsonObject = field(default_factory=dict[str, Any])
    feature_extractor: JsonObject = field(default_factory=dict[str, Any])

    def vector(self, name: str) -> VectorConfig | None:
        """Return the vector of that name, or None."""
        return next((config for config in self.vector_configs if config.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDocument:
    """One document: its payload's keys stand at the root of its JSON, its vectors lie beside it."""

    document_id: str
    collection_id: str
    payload: JsonObject
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorColumn:
    """One named vector of some documents of a batch: row `i` of `values` belongs to document `rows[i]`.

    `values` is (m, d) float32, C-contiguous; `rows` None means that there is one for every document, in order.
    """

    kind: ClassVar[VectorKind] = VectorKind.DENSE

    name: str
    values: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseColumn:
    """One named sparse vector of some documents of a batch, one after another.

    Vector `i` has the terms `indices[bounds[i]:bounds[i + 1]]` (int32, ascending) with these `values` (float32);
    `bounds` is (m + 1,) int64 from 0, `rows` as in `VectorColumn`.
    """

    kind: ClassVar[VectorKind] = VectorKind.SPARSE

    name: str
    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]
    bounds: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiVectorColumn:
    """One named multi-vector of some documents of a batch: that of document `i` is `values[bounds[i]:bounds[i + 1]]`.

    `values` is (t, d) float32, C-contiguous; `bounds` is (m + 1,) int64 from 0, `rows` as in `VectorColumn`.
    """

    kind: ClassVar[VectorKind] = VectorKind.MULTI_VECTOR

    name: str
    values: npt.NDArray[np.float32]
    bounds: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64] | None = None


AnyVectorColumn = VectorColumn | SparseColumn | MultiVectorColumn


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseVector:
    """The terms of one document: `indices` (m,) int32 ascending, and their `values` (m,) float32."""

    indices: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemBatch:
    """Some stored items of a chunk or segment set that become documents where they lie, with their vectors.

    A payload is an item's metadata, with keys in `hidden` renamed to `source_<key>`, then `content`, `position` and
    `own` laid over it. `positions` ascend, and `ids` are those of the items there.
    """

    set_id: str
    are_chunks: bool
    positions: npt.NDArray[np.int64]
    ids: Sequence[str]
    hidden: Sequence[str]
    own: JsonObject
    vectors: Sequence[VectorColumn]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DocumentBatch:
    """Some documents with their vectors, as they are stored in bulk; `payloads` are JSON objects, one a document."""

    ids: Sequence[str]
    payloads: Sequence[JsonObject]
    vectors: Sequence[AnyVectorColumn]
