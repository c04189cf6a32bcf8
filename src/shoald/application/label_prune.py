"""Removes known answers of language models when they are too old to be used again."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork

_TOGETHER = 1_000


@dataclass(frozen=True, kw_only=True)
class LabelPrune:
    """An answer goes when the `cache_ttl_seconds` of the definition that it was made for are over."""

    open_unit_of_work: OpenUnitOfWork
    clock: Clock
    batch: int = _TOGETHER

    def run_pass(self) -> int:
        """Remove all that have expired, a batch in each transaction, and say how many."""
        removed = 0
        while some := self._remove():
            removed += some
        return removed

    def _remove(self) -> int:
        with self.open_unit_of_work() as uow:
            removed = uow.label_ledger.remove_expired(self.clock.now(), self.batch)
            uow.commit()
        return removed
