"""A word goes in, what it shares with its other forms comes out: rules for English that leave other words alone."""

from __future__ import annotations

import re
from functools import lru_cache

_VOWEL = re.compile(r"[aeiouy]")
_SHORTEST = 4
"""Shorter words have no ending that could be taken off."""

_DERIVED = (
    "er or r ion ation ition al ial ally ment ness able ible ive ative ly ity ist ism ful less ance ence ant ent ic"
    " ical ize ise izer ization y ian age ship"
)
_SUFFIXES = frozenset(_DERIVED.split())
_LEAST_SHARED = 3
_LEAST_BEGINNING = 5
"""What begins with another stem of so many letters is of its family, whatever follows."""


@lru_cache(maxsize=1 << 17)
def stem(word: str) -> str:
    """Return the stem of a word in small letters; only plurals, `-ed` and `-ing` are taken off.

    Words with letters beyond ASCII are no English and stay as they are. The stem is a key, not a word to be read.

    >>> [stem(one) for one in ("clusters", "clustering", "clustered", "copies", "copy", "string", "status", "straße")]
    ['cluster', 'cluster', 'cluster', 'copi', 'copi', 'string', 'status', 'straße']
    """
    if len(word) < _SHORTEST or not word.isascii() or not word.isalpha():
        return word
    word = _without_tense(_singular(word))
    if word.endswith("e") and len(word) >= _SHORTEST:
        return word[:-1]
    return word[:-1] + "i" if word.endswith("y") and not _VOWEL.match(word[-2]) else word


def _singular(word: str) -> str:
    """Take the ending of a plural off.

    >>> [_singular(one) for one in ("classes", "class", "entries", "names", "boxes", "analysis", "bus")]
    ['class', 'class', 'entry', 'name', 'box', 'analysis', 'bus']
    """
    if not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > _SHORTEST else word[:-1]
    if word.endswith(("sses", "xes", "ches", "shes", "zzes")):
        return word[:-2]
    return word[:-1]


def _without_tense(word: str) -> str:
    """Take `-ing` and `-ed` off what has a vowel before them.

    >>> [_without_tense(one) for one in ("parsing", "stopped", "string", "need", "calling", "used")]
    ['pars', 'stop', 'string', 'need', 'call', 'us']
    """
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 1 and not word.endswith("eed") and _VOWEL.search(rest):
            doubled = len(rest) >= _SHORTEST and rest[-1] == rest[-2] and rest[-1] not in "lsz"
            return rest[:-1] if doubled else rest
    return word


def is_akin(one: str, other: str) -> bool:
    """Say whether two stems are of one family, so that a name with both would repeat itself.

    >>> is_akin("log", "logger"), is_akin("connect", "connection"), is_akin("car", "carpet")
    (True, True, False)
    """
    short, long = sorted((one, other), key=len)
    if short == long or (len(short) >= _LEAST_BEGINNING and long.startswith(short)):
        return True
    if len(short) < _LEAST_SHARED or not long.startswith(short.removesuffix("i")):
        return False
    rest = long[len(short.removesuffix("i")) :]
    doubled = rest[:1] == short[-1]
    return rest in _SUFFIXES or (doubled and rest[1:] in _SUFFIXES)
