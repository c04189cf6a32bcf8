"""How good a ranked list of hits is: recall, reciprocal rank and discounted gain against what was expected."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A passage that should be found: the item of this id, or any whose text contains `text`.

    Blanks of any kind and length are alike and case does not matter. `grade` (over 0) is how relevant it is.
    """

    item_id: str | None = None
    text: str | None = None
    grade: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedHit:
    """A hit as it is judged: its own id with the ids that stand for it (its segment's), and its text."""

    ids: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A list of hits against what was expected, both in their order.

    `gains` has the gain of each hit, 0 for one that brings nothing new; `found_at` the rank, from 1, at which each
    expected passage was found, or None; `grades` the expected grades.
    """

    gains: tuple[float, ...]
    found_at: tuple[int | None, ...]
    grades: tuple[float, ...]

    def recall(self, k: int) -> float:
        """Return the share of the expected passages that are among the first k hits.

        >>> Judgement(gains=(0, 1), found_at=(2, None), grades=(1, 1)).recall(2)
        0.5
        """
        return sum(rank is not None and rank <= k for rank in self.found_at) / len(self.found_at)

    def reciprocal_rank(self, k: int) -> float:
        """Return one divided by the rank of the first relevant hit, 0 when none is among the first k.

        Its mean over questions is MRR (Voorhees 1999, The TREC-8 Question Answering Track Report).

        >>> Judgement(gains=(0, 1), found_at=(2,), grades=(1,)).reciprocal_rank(5)
        0.5
        """
        ranks = [rank for rank in self.found_at if rank is not None and rank <= k]
        return 1.0 / min(ranks) if ranks else 0.0

    def ndcg(self, k: int) -> float:
        """Return the discounted cumulative gain of the first k hits, divided by the best that could be had.

        DCG = Σ gain_i / log2(i + 1) with the grade as the gain (Järvelin and Kekäläinen 2002, Cumulated gain-based
        evaluation of IR techniques, discounted from the first rank on); equal grades make it binary.

        >>> round(Judgement(gains=(0, 1), found_at=(2,), grades=(1,)).ndcg(2), 4)
        0.6309
        """
        return _dcg(self.gains[:k]) / _dcg(sorted(self.grades, reverse=True)[:k])


def judge(expected: Sequence[Expected], hits: Sequence[JudgedHit]) -> Judgement:
    """Judge a list of hits.

    An expected passage counts once, at the first hit that matches it. A hit that matches several new ones finds them
    all, but gains only the highest grade, so that no list is better than the ideal one. O(hits · expected).
    """
    wanted = [(passage, _plain(passage.text)) for passage in expected]
    found_at: list[int | None] = [None] * len(wanted)
    gains: list[float] = []
    for rank, hit in enumerate(hits, start=1):
        text = _plain(hit.text)
        new = [at for at, want in enumerate(wanted) if found_at[at] is None and _matches(want, hit, text)]
        for at in new:
            found_at[at] = rank
        gains.append(max((wanted[at][0].grade for at in new), default=0.0))
    grades = tuple(passage.grade for passage in expected)
    return Judgement(gains=tuple(gains), found_at=tuple(found_at), grades=grades)


def _matches(want: tuple[Expected, str], hit: JudgedHit, text: str) -> bool:
    passage, plain = want
    if passage.item_id is not None:
        return passage.item_id in hit.ids
    return bool(plain) and plain in text


def _plain(text: str | None) -> str:
    return _BLANKS.sub(" ", text or "").strip().casefold()


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
