"""Regular expressions over many texts: by RE2, in linear time, where it can; by a backtracking engine under a limit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
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

Batch = tuple[Positions, pa.Array, "np.ndarray[Any, np.dtype[np.bool_]]"]
"""Positions, texts, and which of these are of ASCII alone."""
Batches = Iterator[Batch]


class Pattern:
    """`TextPattern`: read by both engines, as far as they can."""

    def __init__(self, source: str) -> None:
        self._ignores_case = not source.startswith(_CASE_MATTERS)
        self._source = source.removeprefix(_CASE_MATTERS)
        self._translation = self._translated()
        if self._translation is None:
            _ = self._backtracking

    def _translated(self) -> Translation | None:
        """Return what the linear-time engine reads, None where the other one must."""
        try:
            translation = translated(self._source)
            for source in (translation.for_ascii, translation.all_scripts):
                re2.compile(source, self._options)
        except (Untranslatable, re2.error):
            return None
        return translation

    @cached_property
    def _options(self) -> Any:
        options = re2.Options()
        options.case_sensitive, options.log_errors = not self._ignores_case, False
        return options

    @cached_property
    def _backtracking(self) -> Any:
        flags = regex.IGNORECASE | regex.VERSION0 if self._ignores_case else regex.VERSION0
        try:
            return regex.compile(self._source, flags)
        except (regex.error, OverflowError, RecursionError, MemoryError) as error:
            raise UnusablePattern(f"is not a regular expression: {error}") from None

    def spans(self, text: str, *, most: int) -> Sequence[tuple[int, int]]:
        """Find matches one after another."""
        known = self._translation
        if known is not None and (known.loose is None or text.isascii()):
            source = known.for_ascii if text.isascii() else known.all_scripts
            return _first(re2.compile(source, self._options).finditer(text), most)
        try:
            return _first(self._backtracking.finditer(text, timeout=SPANS_SECONDS, concurrent=True), most)
        except TimeoutError:
            return []

    def matching(self, batches: Batches) -> Positions:
        """Return which of the texts match, ascending as they come."""
        linear, backtracking = time.monotonic() + LINEAR_SECONDS, time.monotonic() + BACKTRACKING_SECONDS
        found = [self._matching_in(batch, linear, backtracking) for batch in batches]
        return np.concatenate([np.zeros(0, np.int64), *found])

    def _matching_in(self, batch: Batch, linear: float, backtracking: float) -> Positions:
        """Search the texts of ASCII alone and the others each in their way."""
        positions, texts, is_ascii = batch
        known = self._translation
        if known is None:
            mask = self._tried(texts, backtracking)
            return np.asarray(positions[mask])
        mask = np.zeros(len(texts), bool)
        mask[is_ascii] = self._mask(known.for_ascii, _chosen(texts, is_ascii), linear)
        mask[~is_ascii] = self._mask(known.loose or known.all_scripts, _chosen(texts, ~is_ascii), linear)
        if known.loose is not None:
            # RE2 knows the boundaries of ASCII words only: it chose, without them, and the other engine decides
            candidates = np.flatnonzero(mask & ~is_ascii)
            mask[candidates] = self._tried(texts.take(pa.array(candidates)), backtracking)
        return np.asarray(positions[mask])

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

    def _tried(self, texts: pa.Array, until: float) -> Any:
        """Ask the backtracking engine text by text: it lets go of the interpreter meanwhile, and stops in time."""
        return np.fromiter((self._is_in(text, until) for text in texts.to_pylist()), bool, len(texts))

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


def _chosen(texts: pa.Array, mask: Any) -> pa.Array:
    return texts if mask.all() else texts.filter(pa.array(mask))
