"""Cuts a text at the coarsest separator that keeps each piece under the size, and joins small pieces again.

It gives the chunks of LangChain's RecursiveCharacterTextSplitter (a test compares them), but never one over the size.
No list of pieces is built: the next cut is looked for near the place where a chunk must end, so the work is a few
searches per chunk instead of a step per piece.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from shoald.domain.chunking.parameters import check_names, size_and_overlap, texts
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.json_types import JsonObject

DEFAULT_SEPARATORS = ("\n\n", "\n", " ", "")
MAX_SEPARATORS = 100
LONGEST_SEPARATOR = 1000  # whether one overlaps itself is found out in the square of its length
_EDGE = 16


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
    given = texts(params, "separators", at_most=MAX_SEPARATORS, longest=LONGEST_SEPARATOR)
    separators = given or DEFAULT_SEPARATORS
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
    whole = ((0, len(text)),)
    spans = whole if len(text) <= settings.size else _split(text, 0, len(text), settings.separators, settings)
    for start, end in spans:
        # the edges tell nearly always, and are cheaper to take out than the piece
        near = start + _EDGE
        if near <= end and (head := text[start:near].lstrip()) and not text[end - 1].isspace():
            yield near - len(head), end
            continue
        piece = text[start:end].lstrip()
        length = len(piece.rstrip())
        if length:
            first = end - len(piece)
            yield first, first + length


_Search = Callable[[int, int], int]
_Cuts = tuple[_Search, _Search]
"""The places within a region where a piece begins, each at a separator: two functions, which return the first and the
last place p with low <= p < high, or -1. They are closures: looking up their four names in an object is half the time.
"""


def _everywhere() -> _Cuts:
    """Return the places of the empty separator: every character is a piece."""
    return (lambda low, high: low if low < high else -1), (lambda low, high: high - 1 if low < high else -1)


def _searched(text: str, separator: str, end: int) -> _Cuts:
    """Return the places of a separator whose occurrences cannot overlap: they are looked for when they are needed."""
    find, rfind = text.find, text.rfind
    if len(separator) == 1:
        return partial(find, separator), partial(rfind, separator)
    reach = len(separator) - 1

    def first(low: int, high: int) -> int:
        return find(separator, low, min(high + reach, end))

    def last(low: int, high: int) -> int:
        return rfind(separator, low, min(high + reach, end))

    return first, last


def _repeated(text: str, separator: str, start: int, end: int) -> _Cuts:
    """Return the places of one character several times, as a blank line is: in a run of it every n-th place counts."""
    find, rfind, length, character = text.find, text.rfind, len(separator), separator[0]
    reach, run_start = length - 1, _run_starts(text, character, start)

    def first(low: int, high: int) -> int:
        limit = high + reach if high + reach < end else end  # noqa: FURB136 - a call takes as long as the search
        place = find(separator, low, limit)
        if place <= start or text[place - 1] != character:
            return place if place < high else -1  # nearly always: a run begins here, or there is none
        while place >= 0:
            counted = place + (run_start(place) - place) % length
            if counted >= high:
                return -1
            if counted == place or text.startswith(separator, counted, end):
                return counted
            place = find(separator, place + 1, limit)
        return -1

    def last(low: int, high: int) -> int:
        limit = high + reach if high + reach < end else end  # noqa: FURB136
        place = rfind(separator, low, limit)
        if place <= start or text[place - 1] != character:
            return place
        counted = place - (place - run_start(place)) % length
        return counted if counted >= low else -1

    return first, last


def _run_starts(text: str, character: str, start: int) -> Callable[[int], int]:
    """Return what finds the begin of the run of a character that a place stands in, for places that often follow."""
    # the run of the last place that was looked at: where it begins, and how far it is known
    begin, known = start, start

    def run_start(place: int) -> int:
        nonlocal begin, known
        if place == start or text[place - 1] != character:
            return place
        if not begin <= place <= known:
            at, stop = place, known if place > known else start
            while at > stop and text[at - 1] == character:
                at -= 1
            is_same_run = place > known and at == known and text[known] == character
            begin, known = begin if is_same_run else at, place
        return begin

    return run_start


def _listed(text: str, separator: str, start: int, end: int) -> _Cuts:
    """Return the places of any other separator that can overlap itself: which count is settled from the left."""
    found = re.compile(re.escape(separator)).finditer(text, start, end)
    places = array("q", (match.start() for match in found))

    def first(low: int, high: int) -> int:
        at = bisect_left(places, low)
        return places[at] if at < len(places) and places[at] < high else -1

    def last(low: int, high: int) -> int:
        at = bisect_right(places, high - 1) - 1
        return places[at] if at >= 0 and places[at] >= low else -1

    return first, last


def _cuts(text: str, separator: str, start: int, end: int) -> _Cuts:
    if not separator:
        return _everywhere()
    if len(separator) == 1:
        return _searched(text, separator, end)
    if len(set(separator)) == 1:
        return _repeated(text, separator, start, end)
    overlaps_itself = any(separator.startswith(separator[n:]) for n in range(1, len(separator)))
    return _listed(text, separator, start, end) if overlaps_itself else _searched(text, separator, end)


def _split(text: str, start: int, end: int, separators: tuple[str, ...], settings: RecursiveSettings) -> Iterator[Span]:
    """Yield the untrimmed chunks of one region, cut at the first of the separators that occurs in it."""
    at = 0
    while separators[at] and text.find(separators[at], start, end) < 0:
        at += 1
    finer = separators[at + 1 :] if separators[at] else ()
    first, last = _cuts(text, separators[at], start, end)
    size, overlap, ahead = settings.size, settings.overlap, -1
    while start < end:
        # a chunk reaches to the last cut within its size; a single piece that leaves no room is long
        if ahead < 0:
            ahead = end if end - start <= size else last(start + 1, start + size + 1)
        cut, ahead = ahead, -1
        if cut < 0 or (cut - start == size and first(start + 1, cut) < 0):
            if cut < 0:
                cut = first(start + size + 1, end)
            cut = end if cut < 0 else cut
            if finer:
                yield from _split(text, start, cut, finer, settings)
            else:
                yield start, cut
            start = cut
            continue
        yield start, cut
        if cut == end:
            return
        # the overlap: as many whole pieces as fit into it
        low = cut - overlap
        again = first(low if low > start else start + 1, cut)
        if again < 0:
            start = cut
            continue
        # nearly always the piece after the cut has room beside them; then the next chunk's end is known, too
        ahead = end if end - again <= size else last(cut + 1, again + size + 1)
        start = again if ahead >= 0 else _beside_next(first, again, cut, end, size)


def _beside_next(first: _Search, again: int, cut: int, end: int, size: int) -> int:
    """Return from where on the pieces before a cut fit into one chunk with the piece after it: `again` or later."""
    following = first(cut + 1, end)
    least = (end if following < 0 else following) - size
    if again >= least:
        return again
    again = first(least, cut) if least < cut else -1
    return cut if again < 0 else again
