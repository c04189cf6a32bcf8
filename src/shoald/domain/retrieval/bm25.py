"""A keyword index over the texts of one set: Okapi BM25, held as plain arrays.

Words are runs of letters and digits, in lower case. The weight of a word that f of n texts have is
ln(n - f + ½) - ln(f + ½); one that would be negative, for words of more than half of the texts, is a quarter of the
mean weight of all words instead. Where that mean is not positive, since most words of a few texts are in most of them,
every word weighs ln(1 + (n - f + ½) / (f + ½)), which always is. A hit is any text that has a word of the query, also
one whose words, each in exactly half of the texts, weigh nothing.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

K1 = 1.5
B = 0.75
EPSILON = 0.25
# a mean nearer to 0 is rounding
_LEAST_MEAN = 1e-9

_DTYPES: dict[str, type[np.generic]] = {
    "letters": np.uint8,
    "starts": np.int64,
    "bounds": np.int64,
    "texts": np.int32,
    "counts": np.uint16,
    "lengths": np.int32,
}
_BLOCK_WORDS = 4_000_000
_MOST_COUNTED = np.iinfo(np.uint16).max
_Block = tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]
"""Postings of some texts: word and text in one number, ascending, and how often the word is in the text."""
_WORDS = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, as index and queries know them.

    >>> words_of("Path.read_text: lit, décodé")
    ['path', 'read', 'text', 'lit', 'décodé']
    """
    return _WORDS.findall(text.lower())


class Bm25Index:
    """Which texts have which words how often: for each word a run of `texts` and `counts`, between its `bounds`.

    Words are in order of their bytes, so that one is found by halving: an index mapped into memory is ready at once.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take the arrays that `arrays` gave; raises `ValueError` for others."""
        if list(arrays) != list(_DTYPES) or any(arrays[name].dtype != kind for name, kind in _DTYPES.items()):
            raise ValueError("this is no keyword index of this version")
        self._letters, self._starts, self._bounds, self._texts, self._counts, self._lengths = arrays.values()
        fits = len(self._starts) == len(self._bounds) and self._bounds[-1] == len(self._texts) == len(self._counts)
        if not fits or self._starts[-1] != len(self._letters):
            raise ValueError("this is no whole keyword index")
        mean = float(self._lengths.mean()) if len(self._lengths) else 0.0
        self._norms = K1 * (1 - B + B * self._lengths / (mean or 1.0))
        self._mean_weight = self._mean_of_weights()

    @classmethod
    def build(cls, texts: Iterable[str]) -> Bm25Index:
        """Index texts; their positions are 0, 1, 2, … About ten million words take 5 s and 250 MB."""
        rows: defaultdict[str, int] = defaultdict(count().__next__)
        occurrences, lengths = array("I"), array("i")
        blocks: list[_Block] = []
        first = 0
        for text in texts:
            found = words_of(text)
            occurrences.extend(map(rows.__getitem__, found))
            lengths.append(len(found))
            if len(occurrences) >= _BLOCK_WORDS:
                blocks.append(_counted(occurrences, lengths, first))
                occurrences, first = array("I"), len(lengths)
        blocks.append(_counted(occurrences, lengths, first))
        words, places = _in_order(rows)
        parts = (
            np.frombuffer(b"".join(words), dtype=np.uint8),
            np.cumsum([0, *map(len, words)], dtype=np.int64),
            *_by_word(blocks, places),
            np.asarray(lengths, dtype=np.int32),
        )
        return cls(dict(zip(_DTYPES, parts, strict=True)))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return what the index is made of, to be stored; all have one dimension."""
        parts = (self._letters, self._starts, self._bounds, self._texts, self._counts, self._lengths)
        return dict(zip(_DTYPES, parts, strict=True))

    @property
    def nbytes(self) -> int:
        """How much memory it takes beside its arrays, which may be a mapped file."""
        return self._norms.nbytes

    def search(
        self, query: str, *, k: int, allowed: npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return positions and scores of the k best texts that share a word with the query, ties by position.

        Of `allowed` ascending positions only, when given; they do not change the scores.
        """
        scores, has_word = self._scores(query)
        found = np.flatnonzero(has_word) if allowed is None else allowed[has_word[allowed]]
        values = scores[found]
        if 0 < k < len(found):
            among_best = values >= np.partition(values, len(found) - k)[len(found) - k]
            found, values = found[among_best], values[among_best]
        order = np.lexsort((found, -values))[: max(k, 0)]
        return found[order], values[order]

    def _scores(self, query: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Return the score of each text, and whether it has a word of the query: a score may be 0."""
        scores, has_word = np.zeros(len(self._lengths)), np.zeros(len(self._lengths), bool)
        for word, times in sorted(Counter(words_of(query)).items()):
            row = self._row(word.encode())
            if row is None:
                continue
            run = slice(self._bounds[row], self._bounds[row + 1])
            texts, counts = self._texts[run], self._counts[run].astype(np.float64)
            scores[texts] += times * self._weight(len(texts)) * counts * (K1 + 1) / (counts + self._norms[texts])
            has_word[texts] = True
        return scores, has_word

    def _row(self, word: bytes) -> int | None:
        n = len(self._starts) - 1
        row = bisect_left(range(n), word, key=self._word)
        return row if row < n and self._word(row) == word else None

    def _word(self, row: int) -> bytes:
        return self._letters[self._starts[row] : self._starts[row + 1]].tobytes()

    def _weight(self, having: int) -> float:
        n = len(self._lengths)
        if self._mean_weight < _LEAST_MEAN:
            return float(np.log1p((n - having + 0.5) / (having + 0.5)))
        weight = float(_weights(n, having))
        return weight if weight >= 0 else EPSILON * self._mean_weight

    def _mean_of_weights(self) -> float:
        having = np.diff(self._bounds)
        return float(_weights(len(self._lengths), having).mean()) if len(having) else 0.0


def _weights(n: int, having: Any) -> Any:
    return np.log(n - having + 0.5) - np.log(having + 0.5)


def _by_word(
    blocks: list[_Block], places: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.uint16]]:
    """Return bounds, texts and counts of all words; the blocks, which follow each other, are gone afterwards."""
    having = np.zeros(len(places), dtype=np.int64)
    for keys, _ in blocks:
        having += np.bincount(places[keys >> 32], minlength=len(places))
    bounds = np.concatenate([[0], np.cumsum(having)]).astype(np.int64)
    texts, counts = np.empty(bounds[-1], dtype=np.int32), np.empty(bounds[-1], dtype=np.uint16)
    filled = bounds[:-1].copy()
    while blocks:
        keys, times = blocks.pop(0)
        rows = places[keys >> 32]
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        runs = np.diff(starts, append=len(rows))
        at = np.repeat(filled[rows[starts]] - starts, runs) + np.arange(len(rows))
        texts[at], counts[at] = keys & 0xFFFFFFFF, times
        filled[rows[starts]] += runs
    return bounds, texts, counts


def _in_order(rows: Mapping[str, int]) -> tuple[list[bytes], npt.NDArray[np.int64]]:
    """Return the words in order of their bytes, and the place there of each row."""
    encoded = sorted((word.encode(), row) for word, row in rows.items())
    places = np.empty(len(encoded), dtype=np.int64)
    places[[row for _, row in encoded]] = np.arange(len(encoded))
    return [word for word, _ in encoded], places


def _counted(occurrences: array[int], lengths: array[int], first: int) -> _Block:
    """Return word and text of each posting in one number, ascending, and how often the word is in the text.

    `occurrences` are those of the texts from `first` on, text after text.
    """
    of_block = np.asarray(lengths, dtype=np.int64)[first:]
    texts = np.repeat(np.arange(first, first + len(of_block), dtype=np.int64), of_block)
    keys, counts = np.unique((np.asarray(occurrences, dtype=np.int64) << 32) | texts, return_counts=True)
    return keys, np.minimum(counts, _MOST_COUNTED).astype(np.uint16)
