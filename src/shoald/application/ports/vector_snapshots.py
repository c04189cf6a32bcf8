"""The vectors of a collection as one array, read from the system of record once and memory-mapped from then on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shoald.domain.ragged_arrays import entries_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VectorSnapshot:
    """One named vector of a collection as it was at one revision.

    `ids` (n,) are the document ids as UTF-8 bytes, ascending; `vectors` is (n, d) float32, read-only, row i belongs to
    `ids[i]`. `sha256` is the hash of both, so equal content has one hash in every installation. `was_read` says
    whether the vectors had to be read from PostgreSQL.
    """

    collection_id: str
    vector_name: str
    revision: int
    sha256: str
    ids: npt.NDArray[np.bytes_]
    vectors: npt.NDArray[np.float32]
    was_read: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SparseSnapshot:
    """One named sparse vector of a collection as it was at one revision.

    `ids` as in `VectorSnapshot`; row i has the terms `terms[bounds[i]:bounds[i + 1]]`, a (t, 2) int32 array of the
    index of a term, ascending, and the bits of its float32 value; read-only.
    """

    collection_id: str
    vector_name: str
    revision: int
    sha256: str
    ids: npt.NDArray[np.bytes_]
    bounds: npt.NDArray[np.int64]
    terms: npt.NDArray[np.int32]
    was_read: bool

    def of_rows(
        self, rows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Return the indices, values and bounds of some rows, in memory."""
        entries, bounds = entries_of(self.bounds, rows)
        terms = self.terms[entries]
        return np.ascontiguousarray(terms[:, 0]), np.ascontiguousarray(terms[:, 1]).view(np.float32), bounds


class VectorSnapshots(Protocol):
    """Opens snapshots."""

    def open(
        self,
        collection_id: str,
        vector_name: str,
        *,
        dimension: int,
        revision: int,
        step: Callable[[float], None] = lambda _: None,
        content: str | None = None,
    ) -> VectorSnapshot:
        """Return the vectors as of this revision or, when documents were written since, of the newest one.

        `content` asks for those with this hash, whatever the revision; raises `ArtifactNotFound` when documents were
        written since and the file is kept no longer.

        `step` is called with the share read, and what it raises ends the call. Raises `Unavailable` when the database
        does not answer, and `StorageFull` when there is no room for the file.
        """
        ...

    def open_pooled(
        self,
        collection_id: str,
        vector_name: str,
        *,
        dimension: int,
        revision: int,
        step: Callable[[float], None] = lambda _: None,
        content: str | None = None,
    ) -> VectorSnapshot:
        """Return multi-vectors likewise, one row a document: the mean of its vectors, each of unit length."""
        ...

    def open_sparse(
        self,
        collection_id: str,
        vector_name: str,
        *,
        revision: int,
        step: Callable[[float], None] = lambda _: None,
        content: str | None = None,
    ) -> SparseSnapshot:
        """Return sparse vectors likewise."""
        ...
