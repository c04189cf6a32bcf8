"""Vector search by comparing all rows in memory: what the other adapters are held against."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from shoald.application.ports.vector_index import VectorHit
from shoald.domain.failures import InvalidIndexConfig, MissingFaissArtifact, ProviderUnsupported
from shoald.domain.json_types import JsonObject


class MemoryVectorIndex:
    """Builds in a dictionary."""

    def __init__(self) -> None:
        self.builds: dict[str, npt.NDArray[np.float32]] = {}

    def build(
        self,
        build_id: str,
        ids: Sequence[str],
        vectors: npt.NDArray[np.float32],
        *,
        attempt: int,
        config: JsonObject,  # noqa: ARG002 - nothing to choose here
        progress: Callable[[float], None],
    ) -> JsonObject:
        assert len(ids) == len(vectors)
        name = f"{build_id}/{attempt}"
        self.builds[name] = vectors.copy()
        progress(1.0)
        return {"provider": "faiss", "name": name, "vectors": len(vectors), "dimension": vectors.shape[1]}

    def search(
        self,
        manifest: JsonObject,
        query: npt.NDArray[np.float32],
        *,
        k: int,
        with_vectors: bool = False,
        allowed: npt.NDArray[np.int64] | None = None,
    ) -> tuple[list[VectorHit], npt.NDArray[np.float32] | None]:
        if query.shape != (manifest["dimension"],):
            raise InvalidIndexConfig
        if manifest["name"] not in self.builds:
            raise MissingFaissArtifact
        rows = self.builds[manifest["name"]]
        positions = np.arange(len(rows)) if allowed is None else allowed
        scores = (rows[positions].astype(np.float64) @ query.astype(np.float64)).round(9)
        order = np.lexsort((positions, -scores))[: max(k, 0)]
        hits = [VectorHit(int(positions[row]), float(scores[row])) for row in order]
        return hits, rows[positions[order]] if with_vectors else None

    def drop(self, manifest: JsonObject) -> None:
        self.builds.pop(manifest["name"], None)


class MemoryVectorIndexes:
    """One index in memory for every provider it knows."""

    def __init__(self, *providers: str) -> None:
        self.index = MemoryVectorIndex()
        self._providers = providers or ("faiss", "qdrant")

    def get(self, provider: str) -> MemoryVectorIndex:
        if provider not in self._providers:
            raise ProviderUnsupported
        return self.index
