"""A keyword index over the texts of one set: Okapi BM25, held as arrays, written to one file without pickle.

Words are runs of letters and digits, in lower case. The weight of a word is ln(1 + (n - f + ½) / (f + ½)), which,
unlike the original formula's, is never negative, so a hit is any text that has a word of the query.
"""

from __future__ import annotations

import io
import re
import zipfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

K1 = 1.5
B = 0.75

_FORMAT = 1
_BLOCK_WORDS = 4_000_000
_MOST_COUNTED = np.iinfo(np.uint16).max
_WORDS = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, as index and queries know them.

    >>> words_of("Path.read_text: lit, décodé")
    ['path', 'read', 'text', 'lit', 'décodé']
    """
    return _WORDS.findall(text.lower())


class Bm25Index:
    """Which texts have which words how often: for each word a run of `texts` and `counts`, between its `bounds`."""

    def __init__(
        self,
        words: list[str],
        bounds: npt.NDArray[np.int64],
        texts: npt.NDArray[np.int32],
        counts: npt.NDArray[np.uint16],
        lengths: npt.NDArray[np.int32],
    ) -> None:
        self._rows = {word: row for row, word in enumerate(words)}
        self._bounds, self._texts, self._counts, self._lengths = bounds, texts, counts, lengths
        mean = max(1.0, float(lengths.mean())) if len(lengths) else 1.0
        self._norms = (K1 * (1 - B + B * lengths / mean)).astype(np.float64)

    @classmethod
    def build(cls, texts: Iterable[str]) -> Bm25Index:
        """Index texts; their positions are 0, 1, 2, … About ten million words take 2 s and 300 MB."""
        rows: defaultdict[str, int] = defaultdict(count().__next__)
        occurrences, lengths = array("I"), array("i")
        blocks: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]] = []
        first = 0
        for text in texts:
            found = words_of(text)
            occurrences.extend(map(rows.__getitem__, found))
            lengths.append(len(found))
            if len(occurrences) >= _BLOCK_WORDS:
                blocks.append(_counted(occurrences, lengths, first))
                occurrences, first = array("I"), len(lengths)
        blocks.append(_counted(occurrences, lengths, first))
        keys = np.concatenate([block[0] for block in blocks])
        counts = np.concatenate([block[1] for block in blocks])
        if len(blocks) > 1:
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
        bounds = np.searchsorted(keys >> 32, np.arange(len(rows) + 1)).astype(np.int64)
        positions = (keys & 0xFFFFFFFF).astype(np.int32)
        return cls(list(rows), bounds, positions, counts, np.asarray(lengths, dtype=np.int32))

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        arrays = self._bounds.nbytes + self._texts.nbytes + self._counts.nbytes + self._lengths.nbytes
        return arrays + self._norms.nbytes + 100 * len(self._rows)

    def search(self, query: str, *, k: int) -> list[tuple[int, float]]:
        """Return (position, score) of the k best texts that share a word with the query, ties by position."""
        scores = self._scores(query)
        found = np.flatnonzero(scores)
        if k < 1 or not len(found):
            return []
        values = scores[found]
        if len(found) > k:
            among_best = values >= np.partition(values, len(found) - k)[len(found) - k]
            found, values = found[among_best], values[among_best]
        order = np.lexsort((found, -values))[:k]
        return list(zip(found[order].tolist(), values[order].tolist(), strict=True))

    def _scores(self, query: str) -> npt.NDArray[np.float64]:
        scores = np.zeros(len(self._lengths))
        for word, times in sorted(Counter(words_of(query)).items()):
            row = self._rows.get(word)
            if row is None:
                continue
            run = slice(self._bounds[row], self._bounds[row + 1])
            texts, counts = self._texts[run], self._counts[run].astype(np.float64)
            weight = times * np.log1p((len(scores) - len(texts) + 0.5) / (len(texts) + 0.5))
            scores[texts] += weight * counts * (K1 + 1) / (counts + self._norms[texts])
        return scores

    def to_bytes(self) -> bytes:
        """Return the index as one file."""
        file = io.BytesIO()
        np.savez(
            file,
            format=np.array([_FORMAT]),
            words=np.frombuffer("\n".join(self._rows).encode(), dtype=np.uint8),
            bounds=self._bounds,
            texts=self._texts,
            counts=self._counts,
            lengths=self._lengths,
        )
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Bm25Index:
        """Read what `to_bytes` wrote; raises `ValueError` for anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                parts: dict[str, Any] = {name: file[name] for name in file.files}
            return cls._restored(parts)
        except (zipfile.BadZipFile, KeyError, EOFError, OSError) as error:
            raise ValueError(f"this is no keyword index: {error}") from error

    @classmethod
    def _restored(cls, parts: dict[str, Any]) -> Bm25Index:
        words = parts["words"].tobytes().decode()
        index = cls(
            words.split("\n") if words else [],
            *(parts[name] for name in ("bounds", "texts", "counts", "lengths")),
        )
        bounds, texts, n = index._bounds, index._texts, len(index._lengths)
        fits = (
            parts["format"].tolist() == [_FORMAT]
            and len(bounds) == len(index._rows) + 1
            and bounds[-1] == len(texts) == len(index._counts)
            and not (np.diff(bounds) < 0).any()
            and (not len(texts) or 0 <= texts.min() <= texts.max() < n)
        )
        if not fits:
            raise ValueError("this is no keyword index of this version")
        return index


def _counted(
    occurrences: array[int], lengths: array[int], first: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint16]]:
    """Return word and text of each posting in one number, ascending, and how often the word is in the text.

    `occurrences` are those of the texts from `first` on, text after text.
    """
    of_block = np.asarray(lengths, dtype=np.int64)[first:]
    texts = np.repeat(np.arange(first, first + len(of_block), dtype=np.int64), of_block)
    keys, counts = np.unique((np.asarray(occurrences, dtype=np.int64) << 32) | texts, return_counts=True)
    return keys, np.minimum(counts, _MOST_COUNTED).astype(np.uint16)
