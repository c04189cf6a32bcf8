"""Packs whole sentences into chunks; a sentence longer than a chunk is cut between words."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from shoald.domain.chunking.languages import LANGUAGES, Language, language_named
from shoald.domain.chunking.parameters import check_names, refuse, size_and_overlap, text
from shoald.domain.chunking.recursive import RecursiveSettings, recursive_spans
from shoald.domain.chunking.sentences import DEFAULT_LANGUAGE, sentence_spans
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.json_types import JsonObject

_WORD_SEPARATORS = ("\n", " ", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceSettings:
    """How much goes into a chunk, in characters, and the language whose rules find the sentences."""

    size: int
    overlap: int
    language: Language = LANGUAGES[DEFAULT_LANGUAGE]


def sentence_chunker(params: JsonObject) -> Chunker:
    """Return the chunker for `chunk_size`, `chunk_overlap`, `language`; raises `InvalidChunkerParams`."""
    check_names(params, ("chunk_size", "chunk_overlap", "language"))
    size, overlap = size_and_overlap(params)
    name = text(params, "language") or DEFAULT_LANGUAGE
    language = language_named(name)
    if language is None:
        raise refuse("language", name, f"names no language with rules here; known are {', '.join(LANGUAGES)}")
    settings = SentenceSettings(size=size, overlap=overlap, language=language)
    return lambda segment: packed_sentences(segment, settings)


def packed_sentences(segment: str, settings: SentenceSettings) -> Iterator[Span]:
    """Yield as many whole sentences at a time as fit; a chunk begins with those of the last that fit the overlap.

    >>> text = "One is. Two is. Three is."
    >>> how = SentenceSettings(size=17, overlap=8)
    >>> [text[a:b] for a, b in packed_sentences(text, how)]
    ['One is. Two is.', 'Two is. Three is.']
    """
    return _pack(segment, sentence_spans(segment, settings.language), settings)


def _pack(segment: str, sentences: Iterable[Span], settings: SentenceSettings) -> Iterator[Span]:
    held: deque[Span] = deque()
    for start, end in sentences:
        is_long = end - start > settings.size
        if held and (is_long or end - held[0][0] > settings.size):
            yield held[0][0], held[-1][1]
            _keep_overlap(held, end, settings)
        if is_long:
            held.clear()
            yield from _words(segment, start, end, settings)
        else:
            held.append((start, end))
    if held:
        yield held[0][0], held[-1][1]


def _keep_overlap(held: deque[Span], next_end: int, settings: SentenceSettings) -> None:
    """Leave of the sentences just yielded the last that fit into the overlap, and beside the sentence that follows."""
    last = held[-1][1]
    while held and (last - held[0][0] > settings.overlap or next_end - held[0][0] > settings.size):
        held.popleft()


def _words(segment: str, start: int, end: int, settings: SentenceSettings) -> Iterator[Span]:
    how = RecursiveSettings(size=settings.size, overlap=settings.overlap, separators=_WORD_SEPARATORS)
    for low, high in recursive_spans(segment[start:end], how):
        yield start + low, start + high
