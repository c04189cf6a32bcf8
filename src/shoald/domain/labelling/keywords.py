"""Names groups of texts after the words and phrases that set them apart: class-based TF-IDF.

A term weighs (share of the group's texts that have it) · ln(1 + A / f), where f is how many texts have it in
all and A the mean number of texts in a group. Terms are counted once in a text, so that no long text speaks for
all. What is no more frequent in the group than elsewhere names nothing, so the small words of any language stay out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shoald.domain.labelling.group_terms import GroupTerms, KnownTerm, counted
from shoald.domain.labelling.signs import told_apart
from shoald.domain.labelling.stems import is_akin
from shoald.domain.labelling.summaries import summary_of

TERMS_OF_A_NAME = 3
KEYWORDS = 8
LEAST_OF_THE_FIRST = 0.3
"""A term that weighs less than this part of the first one is in no name."""

LEAST_OF_A_KEYWORD = 0.1

LEAST_LIFT = 1.3
"""So many times more frequent than elsewhere must a term be."""

PHRASE_SHARE = 0.4
"""A phrase takes the place of its word when it is in this part of the texts that have the word."""

_FEW_GROUPS = 3
_KEPT_IN_ALL = 1_000_000
_KEPT = (60, 1_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupName:
    """A group's name, its distinctive terms, the most distinctive first, and what it is about, if that was asked."""

    label: str
    keywords: tuple[str, ...]
    summary: str | None = None


def name_groups(groups: Iterable[Sequence[str]], *, expected: int | None = None) -> list[GroupName]:
    """Return a name for each group of texts; equal texts give equal names, whatever their order within the group.

    Groups are looked at one after another and forgotten, but for about a million terms in all; `expected` says how
    many will come, where that is not known from `groups`. Cost grows with the characters of the texts.

    >>> name_groups([["parse a date", "format a date"], ["open a socket", "close the socket"]])[0].label
    'Date, format, parse'
    """
    many = expected or (len(groups) if isinstance(groups, Sequence) else _KEPT_IN_ALL // _KEPT[0])
    least, most = _KEPT
    kept = max(least, min(most, _KEPT_IN_ALL // max(1, many)))
    found = [counted(texts, kept) for texts in groups]
    everywhere = _Everywhere(found)
    names = [_named(at, group, everywhere) for at, group in enumerate(found)]
    return [replace(names[at], label=label) for at, label in enumerate(told_apart([one.label for one in names], found))]


class _Everywhere:
    """How frequent terms are in all groups together."""

    def __init__(self, groups: Sequence[GroupTerms]) -> None:
        self._counts: Counter[str] = Counter()
        for group in groups:
            for key, term in group.terms.items():
                self._counts[key] += term.texts
        self._texts = sum(group.texts for group in groups)
        self._mean = self._texts / len(groups) if groups else 0.0
        self._has_few = len(groups) < _FEW_GROUPS

    def weights(self, group: GroupTerms) -> dict[str, float]:
        """Return the weight of each term of the group that is more frequent in it than elsewhere, and so its words.

        Where there is none, as in groups that are all alike, of those that are no less frequent.
        """
        return self._lifted(group, 0.0 if self._has_few else LEAST_LIFT) or self._lifted(group, 0.99)

    def _lifted(self, group: GroupTerms, lift: float) -> dict[str, float]:
        found = {}
        for key, term in group.terms.items():
            share, known = term.texts / group.texts, self._counts[key]
            if share * self._texts >= lift * known:
                found[key] = share * math.log1p(self._mean / known)
        return {key: weight for key, weight in found.items() if found.keys() >= set(group.terms[key].stems)}


def _named(at: int, group: GroupTerms, everywhere: _Everywhere) -> GroupName:
    weights = everywhere.weights(group)
    terms = _chosen(group, weights)
    if not terms:
        return GroupName(label=f"Group {at}", keywords=())
    first = weights[terms[0].key]
    named = [term for term in terms[:TERMS_OF_A_NAME] if weights[term.key] >= LEAST_OF_THE_FIRST * first]
    label = ", ".join(term.surface for term in named)
    keywords = tuple(term.surface for term in terms if weights[term.key] >= LEAST_OF_A_KEYWORD * first)
    return GroupName(label=_begun(label), keywords=keywords, summary=summary_of(group.sentences, weights))


def _chosen(group: GroupTerms, weights: Mapping[str, float]) -> list[KnownTerm]:
    """Return the weightiest terms, none of which repeats a stem of one before; phrases in the place of their words."""
    phrases = _phrases_by_word(group, weights)
    chosen: list[KnownTerm] = []
    taken: list[str] = []
    for key in sorted(weights, key=lambda one: (-weights[one], one)):
        forms = _longer(group.terms[key], phrases, weights)
        term = next((one for one in forms if not _repeats(one, taken)), None)
        if term is not None:
            chosen.append(term)
            taken.extend(term.family)
        if len(chosen) == KEYWORDS:
            break
    return chosen


def _repeats(term: KnownTerm, taken: Sequence[str]) -> bool:
    return any(is_akin(one, other) for one in term.family for other in taken)


def _phrases_by_word(group: GroupTerms, weights: Mapping[str, float]) -> dict[str, list[KnownTerm]]:
    found: dict[str, list[KnownTerm]] = {}
    for key in weights:
        term = group.terms[key]
        for one in term.within:
            found.setdefault(one, []).append(term)
    return found


def _longer(
    term: KnownTerm, phrases: Mapping[str, Sequence[KnownTerm]], weights: Mapping[str, float]
) -> list[KnownTerm]:
    """Return the term and the phrases that most of its texts have in its place, the longest first."""
    found = [term]
    while True:
        often = [one for one in phrases.get(found[0].key, ()) if one.texts >= PHRASE_SHARE * found[0].texts]
        if not often:
            return found
        found.insert(0, min(often, key=lambda one: (-one.texts, -weights[one.key], one.key)))


def _begun(label: str) -> str:
    """Return the label with a capital at its beginning, unless its first word has one elsewhere, like iPhone.

    >>> _begun("log record, handler"), _begun("iPhone case")
    ('Log record, handler', 'iPhone case')
    """
    first = label.split(maxsplit=1)[0]
    return label if first[1:] != first[1:].lower() else label[0].upper() + label[1:]
