"""Positions of a set to rows of an index that leaves some of them out, and back, around any vector index."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shoald.application.ports.vector_index import VectorHit, VectorIndex
from shoald.domain.json_types import JsonObject

if TYPE_CHECKING:
    from shoald.application.ports.object_store import ObjectStore

_KEY = "positions"
_MOST_KEPT = 16


def store_positions(objects: ObjectStore, folder: str, positions: npt.NDArray[np.int64] | None) -> JsonObject:
    """Store the ascending position of each row, and return what the manifest says of it: nothing where row i is i."""
    if positions is None:
        return {}
    file = io.BytesIO()
    np.save(file, positions, allow_pickle=False)
    stored = objects.put(f"{folder}/positions.npy", file.getvalue())
    return {_KEY: {"key": stored.key, "sha256": stored.sha256, "bytes": stored.size}}


class WithPositions:
    """`VectorIndex` whose hits are positions of the set that a build was made from, as its manifest says."""

    def __init__(self, index: VectorIndex, objects: Callable[[], ObjectStore]) -> None:
        self._index = index
        self._objects = objects
        self._lock = threading.Lock()
        self._known: OrderedDict[str, npt.NDArray[np.int64]] = OrderedDict()

    def build(
        self,
        build_id: str,
        ids: Sequence[str],
        vectors: npt.NDArray[np.float32],
        *,
        attempt: int,
        config: JsonObject,
        progress: Callable[[float], None],
    ) -> JsonObject:
        """Build as the index does."""
        return self._index.build(build_id, ids, vectors, attempt=attempt, config=config, progress=progress)

    def search(
        self,
        manifest: JsonObject,
        query: npt.NDArray[np.float32],
        *,
        k: int,
        with_vectors: bool = False,
        allowed: npt.NDArray[np.int64] | None = None,
    ) -> tuple[list[VectorHit], npt.NDArray[np.float32] | None]:
        """Search the rows of the allowed positions, and say the positions of those found. Order is kept: both rise."""
        if _KEY not in manifest:
            return self._index.search(manifest, query, k=k, with_vectors=with_vectors, allowed=allowed)
        positions = self._positions(manifest[_KEY])
        rows = None if allowed is None else np.flatnonzero(np.isin(positions, allowed, assume_unique=True))
        hits, vectors = self._index.search(manifest, query, k=k, with_vectors=with_vectors, allowed=rows)
        return [VectorHit(int(positions[hit.position]), hit.score) for hit in hits], vectors

    def drop(self, manifest: JsonObject) -> None:
        """Remove the storage, and the positions with it."""
        self._index.drop(manifest)
        if _KEY in manifest:
            self._objects().delete(manifest[_KEY]["key"])

    def _positions(self, stored: JsonObject) -> npt.NDArray[np.int64]:
        with self._lock:
            known = self._known.get(stored["key"])
        if known is None:
            with self._objects().local_copy(stored["key"], stored["sha256"]) as path:
                known = np.load(path, allow_pickle=False)
        with self._lock:
            self._known[stored["key"]] = known
            self._known.move_to_end(stored["key"])
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        return known
