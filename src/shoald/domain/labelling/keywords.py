"""Names groups of texts after the words that set them apart: class-based TF-IDF.

A word weighs (share of the group's texts that have it) · ln(1 + A / f), where f is how many texts have it in
all and A the mean number of texts in a group. Words are counted once in a text, so that no long text speaks for
all.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shoald.domain.labelling.stop_words import STOP_WORDS

WORDS_OF_A_NAME = 5
LEAST_TEXTS = 3
FEW_TEXTS = 30
"""With fewer texts than this in all, a word may be in only one."""

_WORDS = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """A group's name, and its distinctive words, the most distinctive first."""

    label: str
    keywords: tuple[str, ...]


def name_groups(groups: Sequence[Sequence[str]]) -> list[GroupName]:
    """Return a name for each group of texts; equal texts give equal names, whatever their order within the group.

    >>> name_groups([["parse a date", "format a date"], ["open a socket", "close the socket"]])[0].keywords
    ('date', 'format', 'parse')
    """
    counts = [_counts(texts) for texts in groups]
    overall: Counter[str] = Counter()
    for count in counts:
        overall.update(count)
    total = sum(map(len, groups))
    least = LEAST_TEXTS if total >= FEW_TEXTS else 1
    mean = total / len(groups) if groups else 0.0
    weights = {word: math.log1p(mean / n) for word, n in overall.items() if n >= least}
    names = [_distinctive(count, weights) for count in counts]
    return [
        GroupName(label=", ".join(words) if words else f"Group {at}", keywords=words) for at, words in enumerate(names)
    ]


def _counts(texts: Iterable[str]) -> Counter[str]:
    """Return how many of the texts have each word."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(_WORDS.findall(text.lower())) - STOP_WORDS)
    return counts


def _distinctive(counts: Counter[str], weights: dict[str, float]) -> tuple[str, ...]:
    ranked = sorted(
        (word for word in counts if word in weights), key=lambda word: (-counts[word] * weights[word], word)
    )
    chosen: list[str] = []
    for word in ranked:
        if not any(word in {other + "s", other.removesuffix("s")} for other in chosen):
            chosen.append(word)
        if len(chosen) == WORDS_OF_A_NAME:
            break
    return tuple(chosen)
