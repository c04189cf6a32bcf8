"""Regular expressions of filters: the part of the language that means the same in Python and in PostgreSQL.

Literals, `.`, classes, `^`, `$`, groups, alternatives, quantifiers, and the escapes d w s b (and their
opposites), n, t, r and punctuation. `.` matches line breaks too; `$` is the end of the text. What could run for very
long (references back, look-around) is not in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARACTERS = 1000
MAX_REPEATS = 255
MAX_STEPS = 2000
"""What a pattern may come to when its counted repetitions are written out."""

_BOUNDS = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
# where the two dialects spell the same thing differently
_PYTHON = {"$": r"\Z"}
_POSIX = {r"\b": r"\y", r"\B": r"\Y"}
_ESCAPES = set("dDwWsSbBntr")
_PUNCTUATION = set("\\.^$*+?()[]{}|/-!\"#%&',:;<=>@_`~ ")


class BadPattern(ValueError):  # noqa: N818 - the pattern is bad; nothing went wrong
    """The pattern is not in the language; the text says why."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern in both dialects."""

    source: str
    python: str
    posix: str


def read_pattern(source: str) -> Pattern:
    r"""Return the pattern in both dialects; raises `BadPattern`.

    >>> read_pattern(r"\bend.$").python, read_pattern(r"\bend.$").posix
    ('\\bend.\\Z', '\\yend.$')
    """
    if len(source) > MAX_CHARACTERS:
        raise BadPattern(f"is longer than {MAX_CHARACTERS} characters")
    tokens = _Tokens(source)
    words = tokens.read()
    python = "".join(_PYTHON.get(word, word) for word in words)
    try:
        re.compile(python)
    except (re.error, OverflowError) as error:
        raise BadPattern(f"is not a regular expression: {error}") from None
    return Pattern(source, python, "".join(_POSIX.get(word, word) for word in words))


class _Tokens:
    """Takes a pattern apart, refuses what is not in the language, and counts how long it is written out."""

    def __init__(self, source: str) -> None:
        self._source, self._at = source, 0
        # the steps of each open group so far, and of the last thing in it, which a quantifier may repeat
        self._steps, self._last = [0], 0

    def read(self) -> list[str]:
        words: list[str] = []
        while self._at < len(self._source):
            words.append(self._word())
        self._step(0)
        if sum(self._steps) > MAX_STEPS:
            raise BadPattern("repeats too often")
        return words

    def _word(self) -> str:
        character = self._source[self._at]
        if character in "*+?{":
            return self._quantifier()
        if character == "(":
            return self._group()
        if character == ")" and len(self._steps) > 1:
            self._step(0)
            self._last = self._steps.pop()
        else:
            self._step(1)
        if character == "\\":
            return self._escape()
        if character == "[":
            return self._class()
        self._at += 1
        return character

    def _step(self, steps: int) -> None:
        self._steps[-1] += self._last
        self._last = steps

    def _escape(self) -> str:
        word = self._source[self._at : self._at + 2]
        if len(word) == 1 or word[1] not in _ESCAPES | _PUNCTUATION:
            raise BadPattern(f"has {word!r}, which is not allowed")
        self._at += 2
        return word

    def _group(self) -> str:
        self._step(0)
        self._steps.append(0)
        if not self._source.startswith("(?", self._at):
            self._at += 1
            return "("
        if not self._source.startswith("(?:", self._at):
            raise BadPattern("has a group that begins with '(?'; only '(?:' is allowed")
        self._at += 3
        return "(?:"

    def _quantifier(self) -> str:
        bounds = _BOUNDS.match(self._source, self._at)
        if self._source[self._at] != "{":
            word, self._at = self._source[self._at], self._at + 1
        elif bounds is None:
            raise BadPattern("has a '{' that begins no quantifier such as {2} or {2,5}; write \\{ for the character")
        else:
            word, self._at = bounds.group(), bounds.end()
            self._count(int(bounds[1]), int(bounds[3]) if bounds[3] else int(bounds[1]))
        if self._source.startswith("?", self._at):
            word, self._at = word + "?", self._at + 1
        if self._source[self._at : self._at + 1] in {"*", "+", "?", "{"}:
            raise BadPattern("has two quantifiers in a row")
        return word

    def _count(self, least: int, most: int) -> None:
        self._last *= max(1, most)
        if most > MAX_REPEATS or least > most or self._last > MAX_STEPS:
            raise BadPattern("repeats too often")

    def _class(self) -> str:
        """Return a class in brackets, in a form that both dialects read alike."""
        start = self._at
        self._at += 1
        if self._source.startswith("^", self._at):
            self._at += 1
        first = self._at
        while self._source[self._at : self._at + 1] != "]" or self._at == first:
            character = self._source[self._at : self._at + 1]
            if not character:
                raise BadPattern("has a '[' without its ']'")
            if character == "[" or (character == "]" and self._at == first):
                raise BadPattern(f"has a {character!r} within a class; write \\{character}")
            if character == "\\":
                if self._escape()[1] in "bBDWS":
                    raise BadPattern("has an escape within a class that is not allowed there")
            else:
                self._at += 1
        self._at += 1
        return self._source[start : self._at]
