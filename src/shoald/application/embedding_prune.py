"""Forgets stored embeddings that nothing has asked for in a long time, and the oldest where there are too many."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.unit_of_work import OpenUnitOfWork

_TOGETHER = 5_000


@dataclass(frozen=True, kw_only=True)
class EmbeddingPrune:
    """Keeps embeddings for `keep` after their last use, and `most_bytes` of them; 0 means no bound for either."""

    open_unit_of_work: OpenUnitOfWork
    clock: Clock
    keep: timedelta
    most_bytes: int

    def run_pass(self) -> int:
        """Remove some thousand at a time until enough are gone, and say how many."""
        removed = 0
        if self.keep:
            before = (self.clock.now() - self.keep).date()
            while count := self._remove(_TOGETHER, unused_since=before):
                removed += count
        return removed + self._remove_surplus()

    def _remove_surplus(self) -> int:
        if not self.most_bytes:
            return 0
        with self.open_unit_of_work() as uow:
            count, average = uow.embeddings.extent()
        surplus = count - int(self.most_bytes / average) if average else 0
        removed = 0
        while removed < surplus and (some := self._remove(min(_TOGETHER, surplus - removed))):
            removed += some
        return removed

    def _remove(self, most: int, *, unused_since: date | None = None) -> int:
        with self.open_unit_of_work() as uow:
            removed = uow.embeddings.remove_oldest(most, unused_since=unused_since)
            uow.commit()
        return removed
