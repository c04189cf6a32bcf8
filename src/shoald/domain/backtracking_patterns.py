r"""Regular expressions for the engine that goes back, which look-around needs: a text goes in, what was read comes out.

A few characters can make that engine take gigabytes: a counted repetition is written out when it is read, and a
pattern that calls a group, as `(?R)` calls the whole, keeps every call. Such patterns are refused before it sees them.
"""

from __future__ import annotations

import re

import regex

MOST_STEPS = 10_000
"""What a pattern may come to when its counted repetitions are written out."""
_MOST_DIGITS = 6  # of a count, which is too large with them
_TOKEN = re.compile(
    r"""
    (?P<call> \(\? (?: R | [+-]?[0-9]+ | & | P> ) )
    | (?P<verbose> \(\? [A-WYZa-wyz0-9-]* x )
    | (?P<passed> \(\? (?: \#[^)]* | [A-Za-z0-9-]+ ) \) )  # a comment or flags: a count repeats what is before
    | (?P<open> \( )
    | (?P<close> \) )
    | \{ (?P<least> [0-9]* ) (?: , [0-9]* )? (?P<count> \} )
    | (?P<one> \\[pPN]\{[^}]*\} | \\. | \[\^?\]?(?: \[:\^?\w+:\] | \\. | [^]\\] )*\]? | . )
    """,
    re.VERBOSE | re.DOTALL,
)


class UnreadablePattern(ValueError):  # noqa: N818 - the pattern is unreadable; nothing went wrong
    """The text is no pattern that can be used; its words follow on "the pattern"."""


def read_backtracking(source: str, *, ignores_case: bool = False) -> regex.Pattern[str]:
    r"""Return what the engine reads; raises `UnreadablePattern`.

    Callers bound the text to about a thousand characters: the engine prepares its first search for a run of letters in
    the cube of their number, whatever limit of time it is given.

    >>> read_backtracking(r"(?=Section \d)").split("Section 1 a Section 2 b")
    ['', 'Section 1 a ', 'Section 2 b']
    """
    _check_steps(source)
    flags = regex.VERSION0 | (regex.IGNORECASE if ignores_case else 0)
    try:
        return regex.compile(source, flags, cache_pattern=False)
    except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
        raise UnreadablePattern(f"is not a regular expression: {error}") from None


def _check_steps(source: str) -> None:
    # the steps of each open group so far, and those of what came last, which a count repeats
    groups, last = [0], 0
    for token in _TOKEN.finditer(source):
        kind = token.lastgroup
        if kind == "call":
            raise UnreadablePattern("calls a group or itself, which has no bound")
        if kind == "verbose":
            raise UnreadablePattern("has the flag x, which is not supported; write it without blanks and comments")
        if kind == "passed":
            continue
        if kind == "count":
            last *= int(token["least"].lstrip("0")[:_MOST_DIGITS] or 1)
        else:
            groups[-1] += last
            last = 0 if kind == "open" else 1
        if kind == "open":
            groups.append(0)
        elif kind == "close":
            last, groups = groups[-1] + 1, groups[:-1] or [0]
        if last > MOST_STEPS:
            break
    if sum(groups) + last > MOST_STEPS:
        raise UnreadablePattern(f"repeats too much: written out it has more than {MOST_STEPS} steps")
