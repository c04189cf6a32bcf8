"""Vectors from hashed words: no model, no meaning, yet texts that share words are near; for tests and first tries."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt

from shoald.application.ports.embedder import EmbedderInfo

_DIMENSION = 256
_WORD = re.compile(r"\w+")
# blanks in the place of what no word of plain text has
_PARTING = bytes(byte if chr(byte).isalnum() or chr(byte) == "_" else 32 for byte in range(128)) + bytes(128)
_WORD_WEIGHTS = (1.0, 0.5, 0.25)
_TRIGRAM_WEIGHT = 0.1
_TEXTS_TOGETHER = 1000
_CHARACTERS_TOGETHER = 500_000


class MockEmbedder:
    """The documented default provider.

    A word raises three of 256 components, and each three letters of it one a little, so that `index` and `indexes` are
    near too. All components are at least 0, so cosines are too, and a threshold of 0 drops nothing. Texts are embedded
    some hundred together, and each gets the same vector, to the bit, as alone.
    """

    info = EmbedderInfo(name="mock", version="1", dimension=_DIMENSION, is_kept=False)

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Embed each text by itself."""
        vectors = np.empty((len(texts), _DIMENSION), np.float32)
        done = 0
        for together in _slices(texts):
            vectors[done : done + len(together)] = _embedded(together)
            done += len(together)
            if progress:
                progress(done)
        return vectors

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed one text; one without words is the same distance from all."""
        vector: npt.NDArray[np.float32] = _embedded([text])[0]
        return vector


def _slices(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = characters = 0
    for end, text in enumerate(texts, 1):
        characters += len(text)
        if end - start == _TEXTS_TOGETHER or characters > _CHARACTERS_TOGETHER or end == len(texts):
            yield texts[start:end]
            start, characters = end, 0


def _embedded(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return (len(texts), 256): entries of all words are added up, in the order in which each text first has them."""
    words = [Counter(_words(text.lower())) for text in texts]
    known = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(words)))}
    of_text = np.repeat(np.arange(len(texts)), [len(counted) for counted in words])
    which = np.fromiter(map(known.__getitem__, chain.from_iterable(words)), np.int64, len(of_text))
    counts = np.fromiter(chain.from_iterable(map(dict.values, words)), np.float64, len(of_text))
    # A word said ten times is not ten times as telling.
    vectors = _added_up(of_text, which, 1.0 + np.log(counts), list(known), len(texts))
    vectors[[not counted for counted in words]] = 1.0
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return unit


def _words(text: str) -> list[str]:
    """Return the words in order; plain text, as most is, takes a fifth of the time."""
    return text.encode().translate(_PARTING).decode().split() if text.isascii() else _WORD.findall(text)


def _added_up(
    of_text: npt.NDArray[np.int64],
    which: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    words: Sequence[str],
    n: int,
) -> npt.NDArray[np.float64]:
    entries = [_entries(word) for word in words]
    sizes = np.fromiter(map(len, entries), np.int64, len(entries))
    ends = np.cumsum(sizes)
    places = np.frombuffer(b"".join(entries), np.uint8)
    raised = np.full(len(places), _TRIGRAM_WEIGHT)
    for rank, weight in enumerate(_WORD_WEIGHTS):
        raised[ends - sizes + rank] = weight
    each = sizes[which]
    # the entries of one word after another, as often as texts have them
    taken = np.arange(each.sum()) + np.repeat((ends - sizes)[which] - (np.cumsum(each) - each), each)
    rows = np.repeat(of_text * _DIMENSION, each) + places[taken]
    added = np.bincount(rows, raised[taken] * np.repeat(weights, each), minlength=n * _DIMENSION)
    return added.astype(np.float64, copy=False).reshape(n, _DIMENSION)


@lru_cache(maxsize=100_000)
def _entries(word: str) -> bytes:
    """Return the places that a word raises: three of its own, then one for each three letters."""
    edged = f"^{word}$"
    trigrams = (_place(edged[at : at + 3]) for at in range(len(edged) - 2))
    return _hashed(word, len(_WORD_WEIGHTS)) + b"".join(trigrams)


@lru_cache(maxsize=100_000)
def _place(letters: str) -> bytes:
    return _hashed(letters, 1)


def _hashed(text: str, count: int) -> bytes:
    """Return so many hashed places; a byte is one of the 256 components."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=count).digest()
