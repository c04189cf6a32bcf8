"""Searches the vectors of one index build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class VectorHit:
    """One hit: the item's position in its chunk set, and its cosine similarity to the query (larger is nearer)."""

    position: int
    score: float


class VectorIndex(Protocol):
    """Builds and searches; every build has storage of its own, named by the server. Scores are cosines on every
    provider.
    """

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
        """Store (n, d) float32 unit rows; row i is position i and item `ids[i]`.

        Returns the manifest: what a later `search` or `drop` needs and users may see (provider, vectors, dimension,
        collection_name or faiss object with size and SHA-256). Nothing of it is used before the caller has
        published the
        manifest, and a build that dies leaves only what `drop` or the garbage collector removes. `progress`
        takes 0 to 1.
        """
        ...

    def search(
        self,
        manifest: JsonObject,
        query: npt.NDArray[np.float32],
        *,
        k: int,
        allowed: npt.NDArray[np.int64] | None = None,
        with_vectors: bool = False,
    ) -> tuple[list[VectorHit], npt.NDArray[np.float32] | None]:
        """Return the k nearest, best first, ties by position; with their (hits, d) vectors when asked for.

        `allowed` holds ascending positions: only these are hits, and the k nearest of them are found, however few of
        all they are; None allows every position.

        Raises `MissingFaissArtifact`, `DataCorrupt`, or `Unavailable` when the store does not answer.
        """
        ...

    def drop(self, manifest: JsonObject) -> None:
        """Remove a build's storage; already gone is no error."""
        ...


@dataclass(frozen=True, slots=True)
class StoredVectors:
    """What one attempt at a build has stored, or half stored: `manifest` is enough to `drop` it."""

    build_id: str
    manifest: JsonObject


class SweptVectorIndex(Protocol):
    """A vector index whose storage no other sweep looks through."""

    def stored(self) -> Iterable[StoredVectors]:
        """Name everything that attempts at builds of any installation have left in the store."""
        ...

    def drop(self, manifest: JsonObject) -> None:
        """Remove a build's storage; already gone is no error."""
        ...


class VectorIndexes(Protocol):
    """Finds the adapter of a provider."""

    def get(self, provider: str) -> VectorIndex:
        """Return it; raises `ProviderUnsupported`, or `MissingDependency` when its engine is not installed."""
        ...
