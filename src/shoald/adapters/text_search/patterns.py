"""Regular expressions over many texts: by RE2, in linear time, where it can; by a backtracking engine under a limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2

from shoald.adapters.text_search.dialect import Translation, Untranslatable, translated
from shoald.application.ports.text_search import Positions, UnusablePattern
from shoald.domain.backtracking_patterns import UnreadablePattern, read_backtracking

LINEAR_SECONDS = 10.0
BACKTRACKING_SECONDS = 2.0
SPANS_SECONDS = 0.2
_CASE_MATTERS = "(?-i)"
_LONGEST_READ = 1000
_FIRST_SLICE, _LARGEST_SLICE = 64, 1 << 20
_SHORT_SECONDS = 0.02

Batch = tuple[Positions, pa.Array, "np.ndarray[Any, np.dtype[np.bool_]]"]
"""Positions, texts, and which of these are of ASCII alone."""
Batches = Iterator[Batch]


@dataclass(frozen=True, slots=True)
class _Linear:
    """A pattern in the words of the linear-time engine, and read by it."""

    words: Translation
    for_ascii: Any
    all_scripts: Any


class _Pace:
    """How long one search may still take, and how many texts the linear-time engine is given at once.

    The linear-time engine is granted processor time: that others ask, too, is not the pattern's fault. The backtracking
    one stops by the clock alone.
    """

    def __init__(self) -> None:
        self.linear_left = LINEAR_SECONDS
        self.backtracking_until = time.monotonic() + BACKTRACKING_SECONDS
        self.size = _FIRST_SLICE

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Leave out of what it may take the time in which nobody waits for it."""
        began = time.monotonic()
        yield
        self.backtracking_until += time.monotonic() - began

    def went(self, seconds: float) -> None:
        """Count these seconds of the linear-time engine; it gets more at once after a moment only, less after long."""
        self.linear_left -= seconds
        if seconds < _SHORT_SECONDS:
            self.size = min(4 * self.size, _LARGEST_SLICE)
        elif seconds > 10 * _SHORT_SECONDS:
            self.size = max(self.size // 4, 1)


class Pattern:
    """`TextPattern`: read by both engines, as far as they can."""

    def __init__(self, source: str) -> None:
        self._ignores_case = not source.startswith(_CASE_MATTERS)
        self._source = source.removeprefix(_CASE_MATTERS)
        self._linear = self._read_linear()
        if self._linear is None or self._linear.words.has_boundaries:
            # refused now, and not by the first text that needs it
            _ = self._backtracking

    def _read_linear(self) -> _Linear | None:
        """Return what the linear-time engine reads, None where the other one must."""
        options = re2.Options()
        options.case_sensitive, options.log_errors = not self._ignores_case, False
        try:
            known = translated(self._source)
            return _Linear(known, re2.compile(known.for_ascii, options), re2.compile(known.all_scripts, options))
        except (Untranslatable, re2.error):
            return None

    @cached_property
    def _backtracking(self) -> Any:
        try:
            return read_backtracking(self._source, ignores_case=self._ignores_case)
        except UnreadablePattern as error:
            raise UnusablePattern(str(error)) from None

    def spans(self, text: str, *, most: int) -> Sequence[tuple[int, int]]:
        """Find matches one after another."""
        linear = self._linear
        if linear is not None and text.isascii():
            return _first(linear.for_ascii.finditer(text), most)
        if linear is not None and not linear.words.has_boundaries:
            return _first(linear.all_scripts.finditer(text), most)
        try:
            return _first(self._backtracking.finditer(text, timeout=SPANS_SECONDS, concurrent=True), most)
        except TimeoutError:
            return []

    def matching(self, batches: Batches) -> Iterator[Positions]:
        """Yield for each batch which of the texts match, ascending as they come."""
        pace = _Pace()
        for batch in batches:
            found = self._matching_in(batch, pace)
            with pace.standing():
                yield found

    def _matching_in(self, batch: Batch, pace: _Pace) -> Positions:
        """Search the texts of ASCII alone and the others each in their way."""
        positions, texts, is_ascii = batch
        if self._linear is None:
            mask = self._tried(texts, pace)
            return np.asarray(positions[mask])
        words = self._linear.words
        mask = np.zeros(len(texts), bool)
        mask[is_ascii] = self._mask(words.for_ascii, _chosen(texts, is_ascii), pace)
        mask[~is_ascii] = self._mask(words.loose or words.all_scripts, _chosen(texts, ~is_ascii), pace)
        if words.loose is not None:
            # RE2 knows the boundaries of ASCII words only: it chose, without them, and the other engine decides
            candidates = np.flatnonzero(mask & ~is_ascii)
            mask[candidates] = self._tried(texts.take(pa.array(candidates)), pace)
        return np.asarray(positions[mask])

    def _mask(self, source: str, texts: pa.Array, pace: _Pace) -> Any:
        """Say of each text whether it matches; slices grow as long as they are done in a moment."""
        found, start = [], 0
        while start < len(texts):
            began, size = time.thread_time(), pace.size
            if pace.linear_left <= 0:
                raise UnusablePattern(f"takes longer than {LINEAR_SECONDS:.0f} seconds")
            part = pc.match_substring_regex(texts.slice(start, size), source, ignore_case=self._ignores_case)
            found.append(part.to_numpy(zero_copy_only=False))
            start += size
            pace.went(time.thread_time() - began)
        return np.concatenate(found) if found else np.zeros(0, bool)

    def _tried(self, texts: pa.Array, pace: _Pace) -> Any:
        """Ask the backtracking engine text by text: it lets go of the interpreter meanwhile, and stops in time."""
        return np.fromiter((self._is_in(text, pace) for text in texts.to_pylist()), bool, len(texts))

    def _is_in(self, text: str, pace: _Pace) -> bool:
        try:
            # zero would mean no limit
            left = max(pace.backtracking_until - time.monotonic(), 1e-9)
            return self._backtracking.search(text, timeout=left, concurrent=True) is not None
        except TimeoutError:
            raise UnusablePattern(
                f"takes longer than {BACKTRACKING_SECONDS:.0f} seconds; without look-around and references back it is"
                " searched in linear time"
            ) from None


class LongLiteral:
    """`TextPattern` of a text as it stands that is too long to be read as a pattern: reading takes either engine long.

    It is compared in lower case, character by character.
    """

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._lower = _lower(text)

    def spans(self, text: str, *, most: int) -> Sequence[tuple[int, int]]:
        """Find one after another."""
        lower, found = _lower(text), [-self._length]
        while len(found) <= most and (start := lower.find(self._lower, found[-1] + self._length)) >= 0:
            found.append(start)
        return [(start, start + self._length) for start in found[1:]]

    def matching(self, batches: Batches) -> Iterator[Positions]:
        """Look into those texts only that are as long."""
        for positions, texts, _ in batches:
            rows = np.flatnonzero(pc.utf8_length(texts).to_numpy(zero_copy_only=False) >= self._length)
            lower = pc.utf8_lower(texts.take(pa.array(rows)))
            found = pc.match_substring(lower, self._lower).to_numpy(zero_copy_only=False)
            yield np.asarray(positions[rows[found]])


def literal_pattern(text: str) -> Pattern | LongLiteral:
    """Return the pattern of a text as it stands."""
    return LongLiteral(text) if len(text) > _LONGEST_READ else Pattern(re2.escape(text))


def _lower(text: str) -> str:
    # of each character one, so that places stay what they are
    return str(pc.utf8_lower(pa.scalar(text)).as_py())


def _first(matches: Iterator[Any], most: int) -> list[tuple[int, int]]:
    return [match.span() for match, _ in zip(matches, range(most), strict=False)]


def _chosen(texts: pa.Array, mask: Any) -> pa.Array:
    return texts if mask.all() else texts.filter(pa.array(mask))
