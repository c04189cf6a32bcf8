r"""Regular expressions as people write them, put into the words of the linear-time engine.

There `\w`, `\d`, `\s` and `\b` know ASCII alone, which is right for texts of ASCII alone, and twice as fast; for other
texts the first three are written out for all scripts. What that engine cannot say (look-around, references back, `\W`
and `\S` within a class) it refuses by itself, or `translated` does.
"""

from __future__ import annotations

import re
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
_PLAIN = {r"\Z": r"\z"}
_WITHIN = {"w": _WORD, "d": r"\p{Nd}", "D": r"\P{Nd}", "s": _SPACE}
_TOKEN = re.compile(r"\\[pP]\{[^}]*\}|\\[xuU]\{[^}]*\}|\\.|\[:\^?[a-z]+:\]|.", re.DOTALL)


class Untranslatable(ValueError):  # noqa: N818 - the pattern is for the other engine
    """The linear-time engine has no words for this."""


@dataclass(frozen=True, slots=True)
class Translation:
    """A pattern for the linear-time engine: `for_ascii` texts, and for `all_scripts`.

    `loose` is the second without word boundaries, None where there are none.
    """

    for_ascii: str
    all_scripts: str
    loose: str | None


def translated(source: str) -> Translation:
    r"""Return a pattern in the words of the linear-time engine; raises `Untranslatable`.

    >>> translated(r"\bd\d[\d.]").all_scripts, translated(r"\bd\d[\d.]").loose
    ('\\bd\\p{Nd}[\\p{Nd}.]', '(?:)d\\p{Nd}[\\p{Nd}.]')
    """
    plain: list[str] = []
    exact: list[str] = []
    loose: list[str] = []
    in_class, is_first = False, False
    for part in _TOKEN.findall(source):
        if in_class:
            word = _within_class(part)
            in_class = part != "]" or is_first
            is_first = is_first and part == "^"
        else:
            word = _OUTSIDE.get(part[1:], part) if part[0] == "\\" else part
            in_class = is_first = part == "["
        plain.append(_PLAIN.get(part, part))
        exact.append(word)
        is_boundary = not in_class and part in {r"\b", r"\B"}
        loose.append("(?:)" if is_boundary else word)
    return Translation("".join(plain), "".join(exact), "".join(loose) if loose != exact else None)


def _within_class(part: str) -> str:
    if part in {r"\W", r"\S"}:
        raise Untranslatable(part)
    return _WITHIN.get(part[1:], part) if part[0] == "\\" else part
