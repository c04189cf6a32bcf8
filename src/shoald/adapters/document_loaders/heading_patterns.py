"""Regular expressions of a caller that say which lines are headings, run under an alarm.

It must run in a child that may be killed: a pattern may take for ever, and the alarm ends the process.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.adapters.document_loaders.reading import UnusableFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

SECONDS = 2.0
"""To match all patterns on one line."""
MAX_PATTERNS = 200
MAX_PATTERN_CHARACTERS = 1000
MAX_LEVEL = 100
_RIGHT = 'a list of {"level": 1, "pattern": "^Chapter"}, of pairs [level, pattern], or of patterns'


@dataclass(frozen=True, slots=True)
class HeadingPatterns:
    """Patterns with their levels, and those of lines that are no headings."""

    levels: tuple[tuple[int, re.Pattern[str]], ...]
    excluded: tuple[re.Pattern[str], ...]

    @property
    def are_given(self) -> bool:
        """Say whether there is any pattern of a heading."""
        return bool(self.levels)

    def excludes(self, line: str) -> bool:
        """Say whether a line is no heading, whatever its style."""
        if not self.excluded:
            return False
        with _Alarm():
            return any(pattern.search(line) for pattern in self.excluded)

    def heading(self, line: str) -> tuple[int, str] | None:
        """Return (level, title) when the line is a heading.

        The title is the first group of the pattern, else what follows the match, else the line.
        """
        with _Alarm():
            found = next(((level, match) for level, pattern in self.levels if (match := pattern.search(line))), None)
        if found is None or not line.strip() or self.excludes(line):
            return None
        level, match = found
        first = match.group(1) if match.re.groups else None
        title = (first or "").strip() or line[match.end() :].strip() or line.strip()
        return level, " ".join(title.split())


class _Alarm:
    def __enter__(self) -> None:
        # the default action of this alarm ends the process; the parent says so to the user
        signal.setitimer(signal.ITIMER_REAL, SECONDS)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


def read_patterns(params: Mapping[str, Any]) -> HeadingPatterns:
    """Read `regex_patterns` and `exclude_patterns`; raises `UnusableFile` that says which and why."""
    given = params.get("regex_patterns")
    if given is not None and not isinstance(given, list):
        raise UnusableFile(f"loader_params.regex_patterns must be {_RIGHT}")
    levels = [pair for at, entry in enumerate(given or []) for pair in _entry(at, entry)]
    excluded: Any = params.get("exclude_patterns")
    excluded = [excluded] if isinstance(excluded, str) else excluded
    if excluded is not None and not isinstance(excluded, list):
        raise UnusableFile("loader_params.exclude_patterns must be a list of patterns, or one")
    if len(levels) + len(excluded or []) > MAX_PATTERNS:
        raise UnusableFile(f"loader_params.regex_patterns and exclude_patterns: more than {MAX_PATTERNS} patterns")
    return HeadingPatterns(
        tuple(levels), tuple(_compiled(f"exclude_patterns[{at}]", text) for at, text in enumerate(excluded or []))
    )


def _entry(at: int, entry: Any) -> Iterator[tuple[int, re.Pattern[str]]]:
    """Read one entry; a bare pattern has the level of its place in the list, from 1."""
    name = f"regex_patterns[{at}]"
    level: Any
    patterns: Any
    if isinstance(entry, str):
        level, patterns = at + 1, entry
    elif isinstance(entry, dict) and set(entry) == {"level", "pattern"}:
        level, patterns = entry["level"], entry["pattern"]
    elif isinstance(entry, list) and len(entry) == 2:  # noqa: PLR2004 - a pair
        level, patterns = entry
    else:
        raise UnusableFile(f"loader_params.{name} is of another form; regex_patterns must be {_RIGHT}")
    if isinstance(level, bool) or not isinstance(level, int | float) or not 1 <= level <= MAX_LEVEL or level % 1:
        raise UnusableFile(f"loader_params.{name}: the level must be a whole number from 1 to {MAX_LEVEL}")
    for pattern in patterns if isinstance(patterns, list) else [patterns]:
        yield int(level), _compiled(name, pattern)


def _compiled(name: str, pattern: Any) -> re.Pattern[str]:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN_CHARACTERS:
        raise UnusableFile(
            f"loader_params.{name}: a pattern must be a text of 1 to {MAX_PATTERN_CHARACTERS} characters"
        )
    try:
        with _Alarm():
            return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UnusableFile(f"loader_params.{name} is no regular expression: {error}"[:400]) from None
