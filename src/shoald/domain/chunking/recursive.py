"""Cuts a text at the coarsest separator that keeps each piece under the size, and joins small pieces again.

It gives the chunks of LangChain's RecursiveCharacterTextSplitter (a test compares them), but never one over the size.
No list of pieces is built: the next cut is looked for near the place where a chunk must end, so the work is a few
searches per chunk instead of a step per piece.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from shoald.domain.chunking.parameters import check_names, size_and_overlap, texts
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.json_types import JsonObject

DEFAULT_SEPARATORS = ("\n\n", "\n", " ", "")
MAX_SEPARATORS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RecursiveSettings:
    """How to cut, in characters; `separators` end with "", which cuts anywhere, so that the size always holds."""

    size: int
    overlap: int
    separators: tuple[str, ...] = DEFAULT_SEPARATORS


def recursive_chunker(params: JsonObject) -> Chunker:
    """Return the chunker for `chunk_size`, `chunk_overlap`, `separators`; raises `InvalidChunkerParams`."""
    check_names(params, ("chunk_size", "chunk_overlap", "separators"))
    size, overlap = size_and_overlap(params)
    separators = texts(params, "separators", at_most=MAX_SEPARATORS) or DEFAULT_SEPARATORS
    if "" not in separators:
        separators = (*separators, "")
    settings = RecursiveSettings(size=size, overlap=overlap, separators=separators)
    return lambda text: recursive_spans(text, settings)


def recursive_spans(text: str, settings: RecursiveSettings) -> Iterator[Span]:
    """Yield the chunks, trimmed, none of them blank.

    >>> text = "one two three four"
    >>> [text[a:b] for a, b in recursive_spans(text, RecursiveSettings(size=10, overlap=4))]
    ['one two', 'two three', 'four']
    """
    for start, end in _split(text, 0, len(text), settings.separators, settings):
        piece = text[start:end]
        length = len(piece.strip())
        if length:
            first = start + len(piece) - len(piece.lstrip()) if length < len(piece) else start
            yield first, first + length


class _Cuts(Protocol):
    """The places within a region where a piece begins, each at a separator."""

    def first(self, low: int, high: int) -> int:
        """Return the first place p with low <= p < high, or -1."""
        ...

    def last(self, low: int, high: int) -> int:
        """Return the last place p with low <= p < high, or -1."""
        ...


class _Everywhere:
    """The empty separator: every character is a piece."""

    def first(self, low: int, high: int) -> int:
        return low if low < high else -1

    def last(self, low: int, high: int) -> int:
        return high - 1 if low < high else -1


class _Searched:
    """A separator whose occurrences cannot overlap: they are looked for when they are needed."""

    def __init__(self, text: str, separator: str, end: int) -> None:
        self._text, self._separator, self._end = text, separator, end
        self._reach = len(separator) - 1

    def first(self, low: int, high: int) -> int:
        return self._text.find(self._separator, low, min(high + self._reach, self._end))

    def last(self, low: int, high: int) -> int:
        return self._text.rfind(self._separator, low, min(high + self._reach, self._end))


class _Repeated:
    """A separator that is one character several times, as a blank line is: in a run of it every n-th place counts."""

    def __init__(self, text: str, separator: str, start: int, end: int) -> None:
        self._text, self._separator, self._start, self._end = text, separator, start, end
        self._length, self._character = len(separator), separator[0]
        # the run of the last place that was looked at: where it begins, and how far it is known
        self._run = (start, start)

    def first(self, low: int, high: int) -> int:
        text = self._text
        limit = min(high + self._length - 1, self._end)
        place = text.find(self._separator, low, limit)
        if place < 0 or place == self._start or text[place - 1] != self._character:
            return place if place < high else -1  # nearly always: a run begins here, or there is none
        while place >= 0:
            counted = place + (self._run_start(place) - place) % self._length
            if counted >= high:
                return -1
            if counted == place or self._text.startswith(self._separator, counted, self._end):
                return counted
            place = self._text.find(self._separator, place + 1, limit)
        return -1

    def last(self, low: int, high: int) -> int:
        text = self._text
        place = text.rfind(self._separator, low, min(high + self._length - 1, self._end))
        if place < 0 or place == self._start or text[place - 1] != self._character:
            return place
        counted = place - (place - self._run_start(place)) % self._length if place >= 0 else -1
        return counted if counted >= low else -1

    def _run_start(self, place: int) -> int:
        if place == self._start or self._text[place - 1] != self._character:
            return place
        run_start, known = self._run
        if not run_start <= place <= known:
            text, character, at = self._text, self._character, place
            stop = known if place > known else self._start
            while at > stop and text[at - 1] == character:
                at -= 1
            is_same_run = place > known and at == known and text[known] == character
            self._run = (run_start if is_same_run else at, place)
        return self._run[0]


class _Listed:
    """Any other separator that can overlap itself: which occurrences count is settled from the left."""

    def __init__(self, text: str, separator: str, start: int, end: int) -> None:
        found = re.compile(re.escape(separator)).finditer(text, start, end)
        self._places = array("q", (match.start() for match in found))

    def first(self, low: int, high: int) -> int:
        at = bisect_left(self._places, low)
        return self._places[at] if at < len(self._places) and self._places[at] < high else -1

    def last(self, low: int, high: int) -> int:
        at = bisect_right(self._places, high - 1) - 1
        return self._places[at] if at >= 0 and self._places[at] >= low else -1


def _cuts(text: str, separator: str, start: int, end: int) -> _Cuts:
    if not separator:
        return _Everywhere()
    if len(separator) > 1 and len(set(separator)) == 1:
        return _Repeated(text, separator, start, end)
    overlaps_itself = any(separator.startswith(separator[n:]) for n in range(1, len(separator)))
    return _Listed(text, separator, start, end) if overlaps_itself else _Searched(text, separator, end)


def _split(text: str, start: int, end: int, separators: tuple[str, ...], settings: RecursiveSettings) -> Iterator[Span]:
    """Yield the untrimmed chunks of one region, cut at the first of the separators that occurs in it."""
    at = next(n for n, separator in enumerate(separators) if not separator or text.find(separator, start, end) >= 0)
    finer = separators[at + 1 :] if separators[at] else ()
    for low, high, is_long in _pack(_cuts(text, separators[at], start, end), start, end, settings):
        if is_long and finer:
            yield from _split(text, low, high, finer, settings)
        else:
            yield low, high


def _pack(cuts: _Cuts, start: int, end: int, settings: RecursiveSettings) -> Iterator[tuple[int, int, bool]]:
    """Yield the joined pieces of a region, and, marked as long, each piece that fills a chunk by itself."""
    size, overlap = settings.size, settings.overlap
    first, last = cuts.first, cuts.last
    while start < end:
        # a chunk reaches to the last cut within its size; a single piece that leaves no room is long
        cut = end if end - start <= size else last(start + 1, start + size + 1)
        if cut < 0 or (cut - start == size and first(start + 1, cut) < 0):
            cut = first(start + 1, end)
            cut = end if cut < 0 else cut
            yield start, cut, True
            start = cut
            continue
        yield start, cut, False
        if cut == end:
            return
        following = first(cut + 1, end)
        following = end if following < 0 else following
        if following - cut >= size:
            start = cut
            continue
        # the overlap: as many whole pieces as fit into it, and beside the piece that comes next
        start = first(max(cut - overlap, following - size), cut)
        start = cut if start < 0 else start
