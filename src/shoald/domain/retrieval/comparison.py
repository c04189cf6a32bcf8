"""Two ranked pages of hits go in; what stayed, what went, what came, and how much of the top they share come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# depths at which the shared part of the top is told
_DEPTHS = (1, 3, 5, 10, 20, 50, 100, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedHit:
    """One hit of a page; `rank` counts from 1."""

    item_id: str
    text: str
    rank: int
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptHit:
    """One hit of both pages."""

    before: RankedHit
    after: RankedHit

    @property
    def has_moved(self) -> bool:
        """Whether its rank is another one."""
        return self.before.rank != self.after.rank

    @property
    def score_difference(self) -> float | None:
        """The later score less the earlier; None unless both pages have scores."""
        if self.before.score is None or self.after.score is None:
            return None
        return self.after.score - self.before.score


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How one page differs from another; `overlaps` are pairs of a depth and the share of the top that is common."""

    kept: Sequence[KeptHit]
    gone: Sequence[RankedHit]
    added: Sequence[RankedHit]
    overlaps: Sequence[tuple[int, float]]


def compare(before: Sequence[RankedHit], after: Sequence[RankedHit]) -> Comparison:
    """Compare two pages: hits are the same by item id, and of those left, by text. O(n)."""
    same = _matched(before, after)
    kept = [KeptHit(before=same[hit.rank], after=hit) for hit in after if hit.rank in same]
    stayed = {hit.before.rank for hit in kept}
    return Comparison(
        kept=kept,
        gone=[hit for hit in before if hit.rank not in stayed],
        added=[hit for hit in after if hit.rank not in same],
        overlaps=_overlaps(kept, len(before), len(after)),
    )


def _matched(before: Sequence[RankedHit], after: Sequence[RankedHit]) -> dict[int, RankedHit]:
    """Return the earlier hit for each rank of the later page that has one."""
    by_id = {hit.item_id: hit for hit in before}
    same = {hit.rank: by_id[hit.item_id] for hit in after if hit.item_id in by_id}
    taken = {hit.rank for hit in same.values()}
    by_text: dict[str, list[RankedHit]] = {}
    for hit in reversed(before):
        if hit.rank not in taken:
            by_text.setdefault(hit.text, []).append(hit)
    for hit in after:
        if hit.rank not in same and by_text.get(hit.text):
            same[hit.rank] = by_text[hit.text].pop()
    return same


def _overlaps(kept: Sequence[KeptHit], before: int, after: int) -> list[tuple[int, float]]:
    """Return the share of the top at each depth up to the longer page; two empty pages are the same."""
    longer = max(before, after)
    if longer == 0:
        return [(_DEPTHS[0], 1.0)]
    depths = sorted({*(depth for depth in _DEPTHS if depth < longer), longer})
    deepest = [max(hit.before.rank, hit.after.rank) for hit in kept]
    return [(depth, sum(rank <= depth for rank in deepest) / depth) for depth in depths]
