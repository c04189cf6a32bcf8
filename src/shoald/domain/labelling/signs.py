"""Groups of one name go in; what tells them apart comes out: a term, a short sign, else a number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from shoald.domain.labelling.group_terms import GroupTerms

LEAST_LEAD = 0.5
"""So much larger must the share of texts with a sign be than in any group of the same name."""

LEAST_LEAD_OF_A_TERM = 0.15


def told_apart(labels: Sequence[str], groups: Sequence[GroupTerms]) -> list[str]:
    """Return the labels with what sets groups of one name apart behind it, so that all of them are different."""
    alike: dict[str, list[int]] = {}
    for at, label in enumerate(labels):
        alike.setdefault(label.lower(), []).append(at)
    found = list(labels)
    for places in alike.values():
        if len(places) > 1:
            for place, sign in zip(places, _apart([groups[at] for at in places]), strict=True):
                found[place] = labels[place] if sign is None else f"{labels[place]}, {sign}"
    return _numbered(found)


def _apart(groups: Sequence[GroupTerms]) -> list[str | None]:
    """Return for each group what most sets it apart from the others: a sign of most of its texts, else a term."""
    return [_sign(group, others) or _term(group, others) for group, others in _each_beside_others(groups)]


def _each_beside_others(groups: Sequence[GroupTerms]) -> list[tuple[GroupTerms, list[GroupTerms]]]:
    return [(one, [other for other in groups if other is not one]) for one in groups]


def _sign(mine: GroupTerms, others: Sequence[GroupTerms]) -> str | None:
    leads = _leads(mine.signs, [other.signs for other in others])
    best = min(leads, key=lambda sign: (-leads[sign], sign), default=None)
    return best if best is not None and leads[best] >= LEAST_LEAD else None


def _term(mine: GroupTerms, others: Sequence[GroupTerms]) -> str | None:
    """Return the term that is most frequent beside the other groups."""
    shares = {key: term.texts / mine.texts for key, term in mine.terms.items()}
    leads = _leads(shares, [{key: term.texts / one.texts for key, term in one.terms.items()} for one in others])
    best = min(leads, key=lambda key: (-leads[key], key), default=None)
    return mine.terms[best].surface if best is not None and leads[best] >= LEAST_LEAD_OF_A_TERM else None


def _leads(mine: Mapping[str, float], others: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {sign: share - max(other.get(sign, 0.0) for other in others) for sign, share in mine.items()}


def _numbered(labels: Sequence[str]) -> list[str]:
    """Number what is still alike, from the second on, by whatever number is free."""
    taken, known, found = set[str](), Counter[str](), list[str]()
    for label in labels:
        own = label
        while own.lower() in taken:
            known[label.lower()] += 1
            own = f"{label} ({known[label.lower()] + 1})"
        taken.add(own.lower())
        found.append(own)
    return found
