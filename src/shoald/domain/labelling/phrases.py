"""A text goes in, its terms come out: words and phrases of two or three words, each by the stems of its words."""

# ruff: noqa: RUF001 - marks of other scripts look like ASCII ones

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from shoald.domain.labelling.stems import stem
from shoald.domain.labelling.stop_words import STOP_WORDS

LONGEST_TEXT = 4_000
"""Characters of a text that are looked at: what it is about is said by then."""

_LEAST_LETTERS = 3
_MOST_SIGNS = 30
"""A longer run of letters is no word that people read."""

# what may stand within a phrase and says nothing by itself
_LINKS = frozenset(("of", "for", "de", "del", "di", "da", "du", "des", "la", "le", "der", "von", "van"))

# signs that are written within words but are no letters to `re`: accents, points, vowels of Indian scripts and Thai
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0963\u0966-\u0dff\u0e00-\u0e7f"
# scripts that set no blanks between words; their words are pairs of signs, their phrases three and four
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")

_BREAKS = re.compile(rf"[^\w\s'’‐\-{_MARKS}]+|\n\s*\n")
_GAPS = re.compile(r"([\s_‐\-]+)")
_HUMPS = re.compile(r"(?<=[a-z\d])(?=[A-Z])")
_ALL_HUMPS = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FIRST_HUMP = re.compile(r"[a-z]{2,}\d*[A-Z]")
_APOSTROPHE = re.compile(r"['’]")


class Word(NamedTuple):
    """A word as it is written, its stem, what stood before it (a blank or a hyphen), and what it may be in a phrase."""

    surface: str
    key: str
    gap: str
    is_content: bool
    is_link: bool
    is_dense: bool


class Term(NamedTuple):
    """A term at [first, last) of a run of words; its key are the stems with blanks between."""

    key: str
    first: int
    last: int


def runs_of(text: str) -> Iterator[list[Word]]:
    """Yield the runs of words with nothing but blanks and hyphens between them.

    >>> [[word.surface for word in run] for run in runs_of("Real-time data; addHandler(record)")]
    [['Real', 'time', 'data'], ['add', 'Handler'], ['record']]
    """
    for piece in _BREAKS.split(text[:LONGEST_TEXT]):
        words = list(_words(piece))
        if words:
            yield words


def _words(piece: str) -> Iterator[Word]:
    gap = ""
    for at, part in enumerate(_GAPS.split(piece)):
        if at % 2:
            gap = "-" if part in "-‐" else " "
        elif part:
            for surface in _split(part):
                yield Word(surface, *_about(surface, gap))
                gap = "" if _DENSE.match(surface) else " "


def _split(part: str) -> list[str]:
    """Take apart what programs write as one word, and what scripts without blanks write in a run."""
    part = _without_apostrophe(part)
    if _DENSE.search(part):
        return [sign for run in re.split(f"({_DENSE.pattern})", part) for sign in _signs(run)]
    return _HUMPS.split(part) if _FIRST_HUMP.match(part) else [part]


def _signs(run: str) -> list[str]:
    return list(run) if _DENSE.fullmatch(run) else [run] if run else []


def _without_apostrophe(part: str) -> str:
    """Return the word beside an apostrophe.

    >>> [_without_apostrophe(one) for one in ("Python's", "don't", "l'homme", "rock'n'roll")]
    ['Python', 'don', 'homme', 'rock']
    """
    sides = [side for side in _APOSTROPHE.split(part) if side]
    if len(sides) < 2:  # noqa: PLR2004 - one side has nothing beside it
        return sides[0] if sides else ""
    return sides[0] if len(sides[0]) >= _LEAST_LETTERS else sides[1]


@lru_cache(maxsize=1 << 17)
def _about(surface: str, gap: str) -> tuple[str, str, bool, bool, bool]:
    low = surface.lower()
    letters = sum(map(str.isalpha, surface))
    is_short = letters < _LEAST_LETTERS and not (letters > 1 and surface.isupper())
    is_content = not is_short and low not in STOP_WORDS and len(surface) <= _MOST_SIGNS
    return stem(low), gap, is_content, low in _LINKS, _DENSE.match(surface) is not None


def terms_of(run: Sequence[Word]) -> Iterator[Term]:
    """Yield the words and phrases of a run: none begins or ends with a word that says nothing.

    >>> [term.key for term in terms_of(next(runs_of("the point of view and parsing dates")))]
    ['point', 'point of view', 'view', 'pars', 'pars dat', 'dat']
    """
    for first, word in enumerate(run):
        if word.is_dense:
            yield from _dense_terms(run, first)
        elif word.is_content:
            yield Term(word.key, first, first + 1)
            yield from _phrases(run, first)


def _phrases(run: Sequence[Word], first: int) -> Iterator[Term]:
    """Yield the phrases of two and three words that begin here; a number may end one."""
    following = run[first + 1 : first + 3]
    if following and _may_end(following[0]) and following[0].key != run[first].key:
        yield Term(f"{run[first].key} {following[0].key}", first, first + 2)
    if len(following) == 2 and _may_end(following[1]) and (_may_end(following[0]) or following[0].is_link):  # noqa: PLR2004 - two more make three
        keys = [word.key for word in run[first : first + 3]]
        if len(set(keys)) == len(keys):
            yield Term(" ".join(keys), first, first + 3)


def _may_end(word: Word) -> bool:
    return (word.is_content or word.surface.isdecimal()) and not word.is_dense


def _dense_terms(run: Sequence[Word], first: int) -> Iterator[Term]:
    """Yield pairs, triples and fours of signs: most words of such scripts have so many."""
    for last in range(first + 2, min(first + 4, len(run)) + 1):
        if not run[last - 1].is_dense or run[last - 1].gap:
            return
        yield Term("".join(word.key for word in run[first:last]), first, last)


def family_of(run: Sequence[Word], term: Term) -> tuple[str, ...]:
    """Return the stems that no other term of a name may repeat: of its words, and of what they are put together of.

    >>> run = next(runs_of("a list of StreamHandler"))
    >>> family_of(run, Term("", 1, 4))
    ('list', 'stream', 'handler')
    """
    words = [word for word in run[term.first : term.last] if word.is_content]
    return tuple(stem(part.lower()) for word in words for part in _ALL_HUMPS.split(word.surface))


def surface_of(run: Sequence[Word], term: Term) -> str:
    """Return a term as it is written here."""
    first, *others = run[term.first : term.last]
    return first.surface + "".join(word.gap + word.surface for word in others)
