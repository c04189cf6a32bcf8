"""The vectors of a collection as one array, read from the system of record once and memory-mapped from then on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


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
