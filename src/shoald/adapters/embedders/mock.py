"""Vectors from hashed words: no model, no meaning, yet texts that share words are near; for tests and first tries."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from shoald.application.ports.embedder import EmbedderInfo

_DIMENSION = 256
_WORD = re.compile(r"\w+")
_WORD_WEIGHTS = (1.0, 0.5, 0.25)
_TRIGRAM_WEIGHT = 0.1
_TEXTS_A_REPORT = 1000


class MockEmbedder:
    """The documented default provider.

    A word raises three of 256 components, and each three letters of it one a little, so that `index` and `indexes` are
    near too. All components are at least 0, so cosines are too, and a threshold of 0 drops nothing.
    """

    info = EmbedderInfo(name="mock", version="1", dimension=_DIMENSION)

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Embed each text by itself."""
        vectors = np.empty((len(texts), _DIMENSION), np.float32)
        for done, text in enumerate(texts):
            vectors[done] = self.embed_query(text)
            if progress and (done + 1) % _TEXTS_A_REPORT == 0:
                progress(done + 1)
        if progress:
            progress(len(texts))
        return vectors

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed one text; one without words is the same distance from all."""
        words = Counter(_WORD.findall(text.lower()))
        if not words:
            return np.full(_DIMENSION, _DIMENSION**-0.5, np.float32)
        counts = np.fromiter(words.values(), np.float64, len(words))
        # A word said ten times is not ten times as telling.
        total = (1.0 + np.log(counts)) @ np.stack([_word_vector(word) for word in words])
        return (total / np.linalg.norm(total)).astype(np.float32)


@lru_cache(maxsize=100_000)
def _word_vector(word: str) -> npt.NDArray[np.float64]:
    vector = np.zeros(_DIMENSION)
    for place, weight in zip(_places(word, len(_WORD_WEIGHTS)), _WORD_WEIGHTS, strict=True):
        vector[place] += weight
    edged = f"^{word}$"
    for at in range(len(edged) - 2):
        vector[_places(edged[at : at + 3], 1)[0]] += _TRIGRAM_WEIGHT
    return vector


def _places(text: str, count: int) -> bytes:
    """Return so many hashed places; a byte is one of the 256 components."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=count).digest()
