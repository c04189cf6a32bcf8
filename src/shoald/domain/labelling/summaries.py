"""The sentences of a group's texts go in; the one or two that stand for the group come out, as they are written.

Near the centroid is measured in the space of the group's own terms: a run knows vectors of documents only, often made
by a model that is not here, so no sentence can be put beside them; and every installation can do this, at the cost of
reading the texts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from shoald.domain.chunking.sentences import sentence_spans
from shoald.domain.labelling.phrases import LONGEST_TEXT, runs_of, terms_of

SENTENCES = 2
LONGEST_SENTENCE = 240
"""Characters; longer ones, and those of a word or two, are left out where a group has others; longer ones are cut."""

_SHORTEST_SENTENCE = 12
_KEPT = 12
_LOOKED_AT = 8
_OF_NO_TERM = 2
_LEAST_LEGIBLE = 0.8
_SAID = 0.5
"""A second sentence may share at most this part of its words with the first."""


class Sentence(NamedTuple):
    """A sentence as it is written, and the keys of the terms in it, sorted."""

    text: str
    terms: tuple[str, ...]


def telling_sentences(texts: Sequence[str], shares: Mapping[str, float]) -> tuple[Sentence, ...]:
    """Return the sentences with the largest cosine to the shares of the group's terms, at most twelve, best first."""
    found = {sentence for text in texts for sentence in _sentences(text, shares)}
    fitting = [one for one in found if _is_of_good_length(one.text) and _is_legible(one.text)] or list(found)
    return tuple(sorted(fitting, key=lambda one: (-_cosine(one, shares), one.text))[:_KEPT])


def _is_of_good_length(text: str) -> bool:
    return _SHORTEST_SENTENCE <= len(text) <= LONGEST_SENTENCE


def _is_legible(text: str) -> bool:
    """Say whether a text begins with a letter or figure and is mostly letters: markup and code stand for nothing."""
    letters = sum(sign.isalpha() or sign.isspace() for sign in text)
    return text[0].isalnum() and letters >= _LEAST_LEGIBLE * len(text)


def _sentences(text: str, shares: Mapping[str, float]) -> Iterator[Sentence]:
    """Yield the first sentences of a text that hold terms of the group."""
    text = text[:LONGEST_TEXT]
    for at, (start, end) in enumerate(sentence_spans(text)):
        if at == _LOOKED_AT:
            return
        plain = " ".join(text[start:end].split())
        keys = {term.key for run in runs_of(plain) for term in terms_of(run)}
        terms = tuple(sorted(keys & shares.keys()))
        if terms:
            yield Sentence(plain, terms)


def _cosine(sentence: Sentence, weights: Mapping[str, float]) -> float:
    """Return the cosine of a sentence to the weights, but for their own length, which is the same for all.

    A little less is made of sentences of very few terms, which say little.
    """
    known = [weights[term] for term in sentence.terms if term in weights]
    return math.fsum(known) / math.sqrt(len(sentence.terms) + _OF_NO_TERM)


def summary_of(sentences: Sequence[Sentence], weights: Mapping[str, float]) -> str | None:
    """Return the sentences nearest the centroid by the weights of their terms, None where there are none.

    >>> summary_of([Sentence("Opens a socket.", ("socket",)), Sentence("Closes a file.", ("file",))], {"socket": 1})
    'Opens a socket.'
    """
    known = [one for one in sentences if any(term in weights for term in one.terms)]
    ranked = sorted(known, key=lambda one: (-_cosine(one, weights), one.text))
    chosen: list[Sentence] = []
    for sentence in ranked:
        if not any(_overlap(sentence, other) > _SAID for other in chosen):
            chosen.append(sentence)
        if len(chosen) == SENTENCES:
            break
    return " ".join(_cut(one.text) for one in chosen) or None


def _overlap(one: Sentence, other: Sentence) -> float:
    return len(set(one.terms) & set(other.terms)) / max(1, min(len(one.terms), len(other.terms)))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 2].rsplit(" ", 1)[0] + " …"
