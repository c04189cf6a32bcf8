r"""Regular expressions as people write them, put into the words of the linear-time engine.

There `\w`, `\d`, `\s` and `\b` know ASCII alone, which is right for texts of ASCII alone, and twice as fast; for other
texts the first three are written out for all scripts. What that engine cannot say (look-around, references back, `\W`
and `\S` within a class) it refuses by itself, or `translated` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_WORD = r"\p{L}\p{M}\p{N}_"
_SPACE = r"\t-\r \x85\p{Z}"
_OUTSIDE = {
    "w": f"[{_WORD}]",
    "W": f"[^{_WORD}]",
    "d": r"\p{Nd}",
    "D": r"\P{Nd}",
    "s": f"[{_SPACE}]",
    "S": f"[^{_SPACE}]",
    "Z": r"\z",
}
_BOUNDARIES = (r"\b", r"\B")
_PLAIN = {r"\Z": r"\z"}
_WITHIN = {"w": _WORD, "d": r"\p{Nd}", "D": r"\P{Nd}", "s": _SPACE}
_TOKEN = re.compile(r"\\[pP]\{[^}]*\}|\\[xuU]\{[^}]*\}|\\.|\[:\^?[a-z]+:\]|.", re.DOTALL)


class Untranslatable(ValueError):  # noqa: N818 - the pattern is for the other engine
    """The linear-time engine has no words for this."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A pattern for the linear-time engine: `for_ascii` texts, and for `all_scripts`, to say only whether it matches.

    `loose` is the second without the word boundaries that it cannot say, None where it can say all; `has_boundaries`
    tells that there were some, so that its matches may begin or end beside those of the pattern.
    """

    for_ascii: str
    all_scripts: str
    loose: str | None
    has_boundaries: bool


def translated(source: str) -> Translation:
    r"""Return a pattern in the words of the linear-time engine; raises `Untranslatable`.

    >>> translated(r"\d[\d.]").all_scripts, translated(r"a\b.").loose
    ('\\p{Nd}[\\p{Nd}.]', 'a(?:).')
    >>> translated(r"\bon\b").all_scripts
    '(?:\\A|[^\\p{L}\\p{M}\\p{N}_])on(?:\\z|[^\\p{L}\\p{M}\\p{N}_])'
    """
    tokens = list(_tokens(source))
    plain = [_PLAIN.get(token.part, token.part) for token in tokens]
    exact = [_exact(tokens, at) for at in range(len(tokens))]
    loose = [
        "(?:)" if part in _BOUNDARIES and not token.in_class else part
        for part, token in zip(exact, tokens, strict=True)
    ]
    return Translation(
        for_ascii="".join(plain),
        all_scripts="".join(exact),
        loose="".join(loose) if loose != exact else None,
        has_boundaries=any(token.is_boundary for token in tokens),
    )


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of a pattern; `depth` counts the groups around it."""

    part: str
    in_class: bool
    depth: int

    @property
    def is_boundary(self) -> bool:
        return not self.in_class and self.part in _BOUNDARIES

    @property
    def is_bar(self) -> bool:
        return self.part == "|" and not self.in_class and self.depth == 0

    @property
    def is_word(self) -> bool:
        is_letter = len(self.part) == 1 and (self.part.isalnum() or self.part == "_")
        return not self.in_class and (is_letter or self.part in {r"\w", r"\d"})


def _tokens(source: str) -> Iterator[_Token]:
    in_class, is_first, depth = False, False, 0
    for part in _TOKEN.findall(source):
        yield _Token(part, in_class, depth)
        if in_class:
            in_class = part != "]" or is_first
            is_first = is_first and part == "^"
        else:
            in_class = is_first = part == "["
            depth += (part == "(") - (part == ")")


def _exact(tokens: Sequence[_Token], at: int) -> str:
    token = tokens[at]
    if token.in_class:
        return _within_class(token.part)
    if token.part == r"\b" and token.depth == 0:
        return _edge(tokens, at) or token.part
    return _OUTSIDE.get(token.part[1:], token.part) if token.part[0] == "\\" else token.part


def _edge(tokens: Sequence[_Token], at: int) -> str | None:
    """Return what stands for a boundary where a pattern, or a branch of it, begins or ends with a sure letter."""
    before, after = tokens[:at], tokens[at + 1 :]
    begins = not before or before[-1].is_bar
    if begins and after and after[0].is_word and (len(after) == 1 or after[1].part not in "*?{"):
        return rf"(?:\A|[^{_WORD}])"
    ends = not after or after[0].is_bar
    if ends and before and before[-1].part == "+":
        before = before[:-1]
    return rf"(?:\z|[^{_WORD}])" if ends and before and before[-1].is_word else None


def _within_class(part: str) -> str:
    if part in {r"\W", r"\S"}:
        raise Untranslatable(part)
    return _WITHIN.get(part[1:], part) if part[0] == "\\" else part
