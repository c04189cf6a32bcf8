"""What the use cases ask of stored embeddings: the vectors of texts that were embedded before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class EmbeddingRepository(Protocol):
    """Vectors by embedder and by hash of the text; a cache, which may be emptied at any time."""

    def known(
        self, embedder: str, hashes: Sequence[bytes], *, dimension: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Return which of the hashes have vectors, as places in `hashes`, and their (m, dimension) vectors.

        That they are used is noted when the transaction is committed.
        """
        ...

    def add(self, embedder: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Store the vectors of hashes, each of which is there once; those already stored are left as they are."""
        ...

    def extent(self) -> tuple[int, float]:
        """Return how many are stored, and about how many bytes each takes."""
        ...

    def remove_oldest(self, most: int, *, unused_since: date | None = None) -> int:
        """Remove up to `most`, those first that have not been used for longest; returns how many.

        With `unused_since` only those whose last use was before that day; a use is noted within a week.
        """
        ...
