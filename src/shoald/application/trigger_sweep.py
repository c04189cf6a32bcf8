"""Removes firings of triggers from the history some time after their runs ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.trigger_firing import database_time

_TOGETHER = 500


@dataclass(frozen=True, kw_only=True)
class TriggerSweep:
    """Keeps a firing for `keep` after its end, which must be longer than any clock is ever set back: a firing is what
    keeps its slot from firing again.
    """

    open_unit_of_work: OpenUnitOfWork
    keep: timedelta
    batch: int = _TOGETHER
    now: Callable[[UnitOfWork], datetime] = database_time

    def run_pass(self) -> int:
        """Remove all that are old enough, a batch in each transaction, and say how many."""
        removed = 0
        while some := self._remove():
            removed += some
        return removed

    def _remove(self) -> int:
        with self.open_unit_of_work() as uow:
            removed = uow.triggers.remove_firings(self.now(uow) - self.keep, self.batch)
            uow.commit()
        return removed
