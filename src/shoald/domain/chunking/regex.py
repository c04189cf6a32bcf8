r"""Cuts a text at the matches of a regular expression: the matches vanish, what their groups catch stays.

Users write look-around (`(?=Section \d+)`), which needs an engine that goes back, and such an engine can run for
ever: it gets a time limit, and lets other threads run meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from shoald.domain.backtracking_patterns import UnreadablePattern, read_backtracking
from shoald.domain.chunking.parameters import check_names, refuse, size_and_overlap, text
from shoald.domain.chunking.recursive import RecursiveSettings, recursive_spans
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.failures import InvalidChunkerParams
from shoald.domain.json_types import JsonObject

MOST_PATTERN_CHARACTERS = 1000
MATCH_SECONDS = 5.0
"""What the engine may take for one match; and so much longer for all texts than their length grants."""
CHARACTER_SECONDS = 5e-6
"""What a character grants: a hundred times what patterns take that do not try every way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegexSettings:
    """Where to cut, and how long a piece may be, in characters."""

    pattern: regex.Pattern[str]
    size: int
    overlap: int
    seconds: float = MATCH_SECONDS


@dataclass(slots=True)
class Allowance:
    """The engine's time for all texts that are cut, in seconds of its thread: a slow pattern may be slow on each."""

    left: float

    def take(self, seconds: float) -> None:
        """Spend some of it; raises `TimeoutError` when there is none left."""
        self.left -= seconds
        if self.left < 0:
            raise TimeoutError


def regex_chunker(params: JsonObject) -> Chunker:
    """Return the chunker for `pattern`, `chunk_size`, `chunk_overlap`; raises `InvalidChunkerParams`.

    The chunker raises it too, for a pattern that takes too long.
    """
    check_names(params, ("pattern", "chunk_size", "chunk_overlap"))
    size, overlap = size_and_overlap(params)
    settings = RegexSettings(pattern=_compiled(params), size=size, overlap=overlap)
    allowance = Allowance(settings.seconds)
    return lambda segment: regex_spans(segment, settings, allowance)


def _compiled(params: JsonObject) -> regex.Pattern[str]:
    source = text(params, "pattern")
    if source is None:
        raise refuse("pattern", None, "is required by the strategy regex")
    if len(source) > MOST_PATTERN_CHARACTERS:
        raise refuse("pattern", len(source), f"must have at most {MOST_PATTERN_CHARACTERS} characters")
    try:
        return read_backtracking(source)
    except UnreadablePattern as error:
        raise refuse("pattern", source, str(error)) from error


def regex_spans(segment: str, settings: RegexSettings, allowance: Allowance | None = None) -> Iterator[Span]:
    r"""Yield the pieces between matches and what groups catch, in order; too long pieces are cut as by `recursive`.

    The allowance is what is left of that for other texts; None means that there are no others.

    >>> text = "Section 1 a Section 2 b"
    >>> how = RegexSettings(pattern=regex.compile(r"\s*(?=Section \d)"), size=100, overlap=0)
    >>> [text[a:b] for a, b in regex_spans(text, how)]
    ['Section 1 a', 'Section 2 b']
    """
    for start, end in _pieces(segment, settings, allowance or Allowance(settings.seconds)):
        if end - start <= settings.size:
            yield start, end
        else:
            how = RecursiveSettings(size=settings.size, overlap=settings.overlap)
            for low, high in recursive_spans(segment[start:end], how):
                yield start + low, start + high


def _pieces(segment: str, settings: RegexSettings, allowance: Allowance) -> Iterator[Span]:
    """Yield what splitting at the pattern gives, without the empty pieces."""
    last = 0
    groups = range(1, settings.pattern.groups + 1)
    try:
        for match in _matches(segment, settings, allowance):
            if last < match.start():
                yield last, match.start()
            yield from (match.span(group) for group in groups if match[group])
            last = match.end()
    except TimeoutError as error:
        raise InvalidChunkerParams(
            f"chunker_params.pattern takes more than {settings.seconds:g} s",
            detail={"parameter": "pattern", "value": settings.pattern.pattern},
            hint="Make its repetitions exclude each other: (a+)+ tries every way of sharing the letters out.",
        ) from error
    if last < len(segment):
        yield last, len(segment)


def _matches(segment: str, settings: RegexSettings, allowance: Allowance) -> Iterator[regex.Match[str]]:
    """Yield the matches; raises `TimeoutError`. The engine by itself begins to count anew with each match."""
    allowance.left += CHARACTER_SECONDS * len(segment)
    found = settings.pattern.finditer(segment, timeout=settings.seconds, concurrent=True)
    while True:
        began = time.thread_time()
        match = next(found, None)
        allowance.take(time.thread_time() - began)
        if match is None:
            return
        yield match
