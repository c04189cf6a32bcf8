"""Regular expressions over many texts: by RE2, in linear time, where it can; by a backtracking engine under a limit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import re2
import regex

from shoald.adapters.text_search.dialect import Translation, Untranslatable, translated
from shoald.application.ports.text_search import Positions, UnusablePattern

LINEAR_SECONDS = 10.0
BACKTRACKING_SECONDS = 2.0
SPANS_SECONDS = 0.2
_CASE_MATTERS = "(?-i)"
_FIRST_SLICE = 64
_SHORT_SECONDS = 0.02

Batches = Iterator[tuple[Positions, pa.Array]]
"""Positions and texts, some at a time."""


class Pattern:
    """`TextPattern`: read by both engines, as far as they can."""

    def __init__(self, source: str) -> None:
        self._ignores_case = not source.startswith(_CASE_MATTERS)
        self._source = source.removeprefix(_CASE_MATTERS)
        self._linear = self._read_linear()
        if self._linear is None:
            _ = self._backtracking

    def _read_linear(self) -> tuple[Translation, Any] | None:
        options = re2.Options()
        options.case_sensitive, options.log_errors = not self._ignores_case, False
        try:
            translation = translated(self._source)
            return translation, re2.compile(translation.exact, options)
        except (Untranslatable, re2.error):
            return None

    @cached_property
    def _backtracking(self) -> Any:
        flags = regex.IGNORECASE | regex.VERSION0 if self._ignores_case else regex.VERSION0
        try:
            return regex.compile(self._source, flags)
        except (regex.error, OverflowError, RecursionError, MemoryError) as error:
            raise UnusablePattern(f"is not a regular expression: {error}") from None

    def spans(self, text: str, *, most: int) -> Sequence[tuple[int, int]]:
        """Find matches one after another."""
        if self._linear is not None and (self._linear[0].loose is None or text.isascii()):
            return _first(self._linear[1].finditer(text), most)
        try:
            return _first(self._backtracking.finditer(text, timeout=SPANS_SECONDS, concurrent=True), most)
        except TimeoutError:
            return []

    def matching(self, batches: Callable[[], Batches], *, is_ascii: bool) -> Positions:
        """Return which of the texts match; `batches` yields them with their positions."""
        if self._linear is None:
            return self._tried(batches())
        translation, _ = self._linear
        if translation.loose is None or is_ascii:
            return _joined(self._matched(translation.exact, batches()))
        # RE2 knows the boundaries of ASCII words only: it chooses, without them, and the other engine decides
        return self._tried(_kept(batches(), self._matched_masks(translation.loose, batches())))

    def _matched(self, source: str, batches: Batches) -> Iterator[Positions]:
        until = time.monotonic() + LINEAR_SECONDS
        for positions, texts in batches:
            yield positions[self._mask(source, texts, until)]

    def _matched_masks(self, source: str, batches: Batches) -> Iterator[Any]:
        until = time.monotonic() + LINEAR_SECONDS
        for _, texts in batches:
            yield self._mask(source, texts, until)

    def _mask(self, source: str, texts: pa.Array, until: float) -> Any:
        """Say of each text whether it matches; slices grow as long as they are done in a moment."""
        found, start, size = [], 0, _FIRST_SLICE
        while start < len(texts):
            began = time.monotonic()
            if began > until:
                raise UnusablePattern(f"takes longer than {LINEAR_SECONDS:.0f} seconds")
            part = pc.match_substring_regex(texts.slice(start, size), source, ignore_case=self._ignores_case)
            found.append(part.to_numpy(zero_copy_only=False))
            start += size
            if time.monotonic() - began < _SHORT_SECONDS:
                size *= 4
        return np.concatenate(found) if found else np.zeros(0, bool)

    def _tried(self, batches: Batches) -> Positions:
        """Ask the backtracking engine text by text: it lets go of the interpreter meanwhile, and stops in time."""
        until = time.monotonic() + BACKTRACKING_SECONDS
        found = [
            position
            for positions, texts in batches
            for position, text in zip(positions.tolist(), texts.to_pylist(), strict=True)
            if self._is_in(text, until)
        ]
        return np.asarray(found, dtype=np.int64)

    def _is_in(self, text: str, until: float) -> bool:
        try:
            # zero would mean no limit
            left = max(until - time.monotonic(), 1e-9)
            return self._backtracking.search(text, timeout=left, concurrent=True) is not None
        except TimeoutError:
            raise UnusablePattern(
                f"takes longer than {BACKTRACKING_SECONDS:.0f} seconds; without look-around and references back it is"
                " searched in linear time"
            ) from None


class Literal(Pattern):
    """A text as it stands."""

    def __init__(self, text: str) -> None:
        super().__init__(re2.escape(text))


def _first(matches: Iterator[Any], most: int) -> list[tuple[int, int]]:
    return [match.span() for match, _ in zip(matches, range(most), strict=False)]


def _joined(parts: Iterator[Positions]) -> Positions:
    found = list(parts)
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _kept(batches: Batches, masks: Iterator[Any]) -> Batches:
    for (positions, texts), mask in zip(batches, masks, strict=True):
        yield positions[mask], texts.filter(pa.array(mask))
