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

LEAST_LEAD = 0.5
"""So much larger must the share of texts with a sign be than in any group of the same name."""

_WORDS = re.compile(r"[^\W\d_]{3,}")
_SIGNS = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """A group's name, its distinctive words, the most distinctive first, and what it is about, if that was asked."""

    label: str
    keywords: tuple[str, ...]
    summary: str | None = None


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
    words = [_distinctive(count, weights) for count in counts]
    names = [GroupName(label=", ".join(one) if one else f"Group {at}", keywords=one) for at, one in enumerate(words)]
    return _told_apart(names, groups)


def _told_apart(names: Sequence[GroupName], groups: Sequence[Sequence[str]]) -> list[GroupName]:
    """Give groups of one name what sets them apart: a sign that most texts of one have and few of the others.

    >>> [one.label for one in name_groups([["grade A", "grade A pass"], ["grade 1", "grade 1 pass"]])]
    ['grade, pass, a', 'grade, pass, 1']
    """
    alike: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        alike.setdefault(name.label, []).append(at)
    found = list(names)
    for places in alike.values():
        if len(places) > 1:
            signs = [_signs(groups[at]) for at in places]
            apart = [_apart(mine, [one for one in signs if one is not mine]) for mine in signs]
            for place, name in zip(places, _numbered(names[places[0]], apart), strict=True):
                found[place] = name
    return found


def _signs(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of texts that have each sign: short words, and what holds digits."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update({one for one in _SIGNS.findall(text.lower()) if not _WORDS.fullmatch(one)})
    return {sign: count / len(texts) for sign, count in counts.items()}


def _apart(mine: dict[str, float], others: Sequence[dict[str, float]]) -> str | None:
    """Return the sign that most sets a group apart, None where none does."""
    leads = {sign: share - max(other.get(sign, 0.0) for other in others) for sign, share in mine.items()}
    best = min(leads, key=lambda sign: (-leads[sign], sign), default=None)
    return best if best is not None and leads[best] >= LEAST_LEAD else None


def _numbered(name: GroupName, signs: Sequence[str | None]) -> list[GroupName]:
    """Return the name with each group's sign; the second and later ones without a sign of their own with a number."""
    found, known = [], Counter[str]()
    for sign in signs:
        label = name.label if sign is None else f"{name.label}, {sign}"
        keywords = name.keywords if sign is None else (*name.keywords, sign)
        known[label] += 1
        label = label if known[label] == 1 else f"{label} ({known[label]})"
        found.append(GroupName(label=label, keywords=keywords))
    return found


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
