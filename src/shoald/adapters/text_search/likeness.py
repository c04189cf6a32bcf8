"""Likeness of a query and the passages of texts: rapidfuzz's partial ratio, which few texts must be asked for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import LCSseq

from shoald.application.ports.text_search import QueryTooLong, Scores

SECONDS = 10.0
# up to this length rapidfuzz compares within one machine word, faster than anything could be left out
_SHORT = 64
_FIRST_SLICE, _SHORT_SECONDS = 64, 0.02


class Likeness:
    """One query, in lower case, compared with any number of texts.

    It has so much processor time, not of the clock: that others ask, too, is not the query's fault.
    """

    def __init__(self, query: str, threshold: int) -> None:
        self._query, self._threshold = query, threshold
        self._left = SECONDS
        self._size = _FIRST_SLICE

    def of(self, texts: Sequence[str]) -> Scores:
        """Return the ratios of texts, 0 where one does not reach the threshold; raises `QueryTooLong`."""
        found, start = [np.zeros(0)], 0
        while start < len(texts):
            began = time.thread_time()
            if self._left <= 0:
                raise QueryTooLong(f"takes longer than {SECONDS:.0f} seconds to compare with all texts; shorten it")
            part = texts[start : start + self._size]
            found.append(self._ratios(part))
            start += len(part)
            took = time.thread_time() - began
            self._left -= took
            if took < _SHORT_SECONDS:
                self._size *= 4
        return np.concatenate(found)

    def _ratios(self, texts: Sequence[str]) -> Scores:
        if len(self._query) <= _SHORT:
            return self._partial_ratios(texts)
        ratios = np.zeros(len(texts))
        promising = self._promising(texts)
        ratios[promising] = self._partial_ratios([texts[at] for at in promising.tolist()])
        return ratios

    def _promising(self, texts: Sequence[str]) -> Any:
        """Leave out texts that have too little of the query, in whatever places.

        A passage of length w ≤ a, the shorter one's length, with the ratio t has a common subsequence of t·(a + w)/2,
        which is at most w: so of at least t·a / (2 - t).
        """
        ratio = self._threshold / 100
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        parts = _overlapping(self._query, int(lengths.max()))
        common = process.cdist(parts, texts, scorer=LCSseq.similarity, dtype=np.int32).max(axis=0)
        shorter = np.minimum(len(self._query), lengths)
        return np.flatnonzero(common >= np.floor(ratio * shorter / (2 - ratio)))

    def _partial_ratios(self, texts: Sequence[str]) -> Scores:
        if not texts:
            return np.zeros(0)
        ratios: Scores = process.cdist(
            [self._query], texts, scorer=fuzz.partial_ratio, score_cutoff=self._threshold, dtype=np.float64
        )[0]
        return ratios


def _overlapping(query: str, longest: int) -> list[str]:
    """Return parts of the query such that each passage of it, up to as long as the longest text, lies within one.

    >>> _overlapping("abcdefghij", 4)
    ['abcde', 'bcdef', 'cdefg', 'defgh', 'efghi', 'fghij']
    """
    step = max(1, longest // 4)
    if len(query) <= longest + step:
        return [query]
    return [query[start : start + longest + step] for start in range(0, len(query) - longest, step)]
