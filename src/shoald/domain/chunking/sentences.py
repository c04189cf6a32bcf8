"""Finds the sentences of a text by rules: marks that end them, and what only looks like an end."""
# ruff: noqa: RUF001 - marks of other scripts look like ASCII ones

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from shoald.domain.chunking.languages import LANGUAGES, Language
from shoald.domain.chunking.spans import Span

DEFAULT_LANGUAGE = "english"

_CLOSING = "\"'’”»›)\\]"
_WORD_BEFORE = re.compile(r"[^\s(\[\"'«„“‘]+\Z")
_LONGEST_ABBREVIATION = 16
_LONGEST_ORDINAL = 3


def sentence_spans(text: str, language: Language = LANGUAGES[DEFAULT_LANGUAGE]) -> Iterator[Span]:
    """Yield the sentences, trimmed, none of them blank; a blank line ends one too.

    >>> text = "Dr. No pays $3.50. Why? He must."
    >>> [text[a:b] for a, b in sentence_spans(text)]
    ['Dr. No pays $3.50.', 'Why?', 'He must.']
    """
    start = 0
    for end in _ends(text, language):
        yield from _trimmed(text, start, end)
        start = end
    yield from _trimmed(text, start, len(text))


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    length = len(piece.strip())
    if length:
        first = start + len(piece) - len(piece.lstrip())
        yield first, first + length


@lru_cache(maxsize=64)
def _marks(further: str) -> re.Pattern[str]:
    """Return what finds the places where a sentence may end: western marks before a blank, others anywhere."""
    western = f".!?…‽{re.escape(further)}"
    return re.compile(  # a run of marks is looked at once, from its beginning
        rf"(?P<western>(?<![{western}])[{western}]++[{_CLOSING}]*+)(?=\s)"
        rf"|(?P<other>[。！？｡．؟۔।॥።။។]+[{_CLOSING}」』）〕]*)"
        r"|(?P<blank>\n[^\S\n]*\n)"
    )


def _ends(text: str, language: Language) -> Iterator[int]:
    for mark in _marks(language.marks).finditer(text):
        if mark.lastgroup != "western" or _is_end(text, mark.start(), mark.end(), language):
            yield mark.end()


def _is_end(text: str, start: int, end: int, language: Language) -> bool:
    """Say whether a sentence ends with the mark at [start, end): not where a small letter follows, nor after what is
    known to be short for something.
    """
    if _next_letter(text, end).islower():
        return False
    if text[start] != "." or text[start:end].count(".") > 1:
        return True
    found = _WORD_BEFORE.search(text, max(0, start - _LONGEST_ABBREVIATION), start)
    return found is None or not _is_short(text, found.start(), found[0], language)


def _next_letter(text: str, at: int) -> str:
    while at < len(text) and text[at].isspace():
        at += 1
    return text[at : at + 1]


def _is_short(text: str, at: int, word: str, language: Language) -> bool:
    if word.isdigit():
        begins_line = at == 0 or text[at - 1] == "\n"
        return begins_line or (language.has_ordinal_dots and len(word) <= _LONGEST_ORDINAL)
    is_initial = len(word) == 1 and word.isupper()
    is_dotted = "." in word and all(len(part) == 1 and part.isalpha() for part in word.split("."))
    return is_initial or is_dotted or word.lower() in language.abbreviations
