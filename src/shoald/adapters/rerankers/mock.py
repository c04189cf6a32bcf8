"""Scores from shared words: no model, no meaning, the same in every process; for tests and first tries."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_WORD = re.compile(r"\w+")


class MockReranker:
    """The score is the overlap of words: how many both texts have, divided by how many either has, from 0 to 1.

    Words are runs of letters and digits in lower case, each counted once.
    """

    def scores(self, query: str, passages: Sequence[str], check: Callable[[int], None] = lambda _: None) -> list[float]:
        """Score each passage by itself, all in a moment.

        >>> MockReranker().scores("bake bread", ["How to bake bread", "Bread!", "stars"])
        [0.5, 0.5, 0.0]
        """
        check(0)
        wanted = _words(query)
        return [_overlap(wanted, _words(passage)) for passage in passages]


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    either = one | other
    return len(one & other) / len(either) if either else 0.0
