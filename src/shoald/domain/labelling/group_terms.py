"""The texts of one group go in; its frequent terms, short signs and telling sentences come out, and can be kept."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from shoald.domain.labelling.phrases import LONGEST_TEXT, Term, Word, family_of, runs_of, surface_of, terms_of
from shoald.domain.labelling.summaries import Sentence, telling_sentences

_LEAST_TEXTS = ((4, 1), (30, 2))
"""In how many of fewer than so many texts a word must be; phrases in two at least."""

_LEAST_OF_MANY = 3

_SIGNS = re.compile(r"[^\W_]+")
_LEAST_LETTERS = 3
_SIGNS_KEPT = 30
_MID = 1_000
"""A form within a sentence tells more than so many at its beginning, where all words may have a capital."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTerm:
    """A term of a group: its key, its words that say something, how most texts write it, and how many texts have it.

    `family` are the stems that no other term of a name may repeat, `within` the keys of the shorter terms in it.
    """

    key: str
    stems: tuple[str, ...]
    family: tuple[str, ...]
    surface: str
    texts: int
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTerms:
    """What is known of a group: its number of texts, its terms by key, the share of texts with each short sign, and
    the sentences that its terms are in most.
    """

    texts: int
    terms: Mapping[str, KnownTerm]
    signs: Mapping[str, float]
    sentences: tuple[Sentence, ...]


def counted(texts: Sequence[str], kept: int) -> GroupTerms:
    """Return what is known of a group by its texts, in whatever order; at most `kept` terms, the most frequent."""
    runs = [list(runs_of(text)) for text in texts]
    found = [[(run, list(terms_of(run))) for run in of_text] for of_text in runs]
    counts: Counter[str] = Counter()
    for of_text in found:
        counts.update({term.key for _, terms in of_text for term in terms})
    least = next((n for few, n in _LEAST_TEXTS if len(texts) < few), _LEAST_OF_MANY)
    known = (key for key, n in counts.items() if n >= (max(least, 2) if " " in key else least))
    often = sorted(known, key=lambda key: (-counts[key], key))[:kept]
    terms = _terms({key: counts[key] for key in often}, found)
    shares = {key: term.texts / len(texts) for key, term in terms.items()}
    return GroupTerms(texts=len(texts), terms=terms, signs=_signs_of(texts), sentences=telling_sentences(texts, shares))


def _terms(
    counts: Mapping[str, int], found: Sequence[Sequence[tuple[Sequence[Word], Sequence[Term]]]]
) -> dict[str, KnownTerm]:
    """Look at each term once more, to see how it is written."""
    forms: dict[str, Counter[str]] = {key: Counter() for key in counts}
    parts: dict[str, _Parts] = {}
    for of_text in found:
        for run, terms in of_text:
            for term in terms:
                if term.key in forms:
                    forms[term.key][surface_of(run, term)] += _MID if term.first else 1
                    if term.key not in parts:
                        parts[term.key] = _parts(run, term)
    return {
        sys.intern(key): KnownTerm(
            key=sys.intern(key),
            stems=parts[key].stems,
            family=parts[key].family,
            surface=sys.intern(_most_written(forms[key])),
            texts=count,
            within=tuple(one for one in parts[key].within if one in counts),
        )
        for key, count in counts.items()
    }


class _Parts(NamedTuple):
    stems: tuple[str, ...]
    family: tuple[str, ...]
    within: tuple[str, ...]


def _parts(run: Sequence[Word], term: Term) -> _Parts:
    """Return what a term is put together of."""
    words = run[term.first : term.last]
    if words[0].is_dense:
        signs = term.key
        shorter = {signs[a:b] for a in range(len(signs)) for b in range(a + 2, len(signs) + 1)} - {signs}
        return _Parts((), tuple(sorted({signs, *shorter})), tuple(sorted(shorter)))
    stems = tuple(sys.intern(word.key) for word in words if word.is_content)
    family = tuple(map(sys.intern, family_of(run, term)))
    if len(words) == 1:
        return _Parts(stems, family, ())
    keys = [word.key for word in words]
    pairs = {" ".join(keys[a : a + 2]) for a in range(len(keys) - 1)} - {term.key}
    return _Parts(stems, family, tuple(sys.intern(one) for one in sorted({*stems, *pairs})))


def _most_written(forms: Counter[str]) -> str:
    """Return the form that most texts write; of equal ones that with fewer capitals, then the first.

    Forms are counted by their small letters first, so that capitals do not divide them.
    """
    by_word: Counter[str] = Counter()
    for form, count in forms.items():
        by_word[form.lower()] += count
    word = min(by_word, key=lambda one: (-by_word[one], one))
    mine = [form for form in forms if form.lower() == word]
    return min(mine, key=lambda form: (-forms[form], sum(map(str.isupper, form)), form))


def _signs_of(texts: Sequence[str]) -> dict[str, float]:
    """Return the share of texts that have each sign, the most frequent: short words, and what holds digits."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(filter(_is_sign, set(_SIGNS.findall(text[:LONGEST_TEXT].lower()))))
    most = sorted(counts, key=lambda sign: (-counts[sign], sign))[:_SIGNS_KEPT]
    return {sys.intern(sign): counts[sign] / len(texts) for sign in most}


def _is_sign(word: str) -> bool:
    return len(word) < _LEAST_LETTERS or not word.isalpha()
