"""Removes stored vectors that no build names: those of attempts that were killed for the last time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from shoald.domain.vocabulary import RunStatus

if TYPE_CHECKING:
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.ports.vector_index import StoredVectors, SweptVectorIndex
    from shoald.domain.json_types import JsonObject

log = logging.getLogger(__name__)

_STILL_COMING = frozenset({RunStatus.QUEUED, RunStatus.RUNNING})


@dataclass(frozen=True, kw_only=True)
class VectorSweep:
    """Compares what vector stores hold with the builds that there are.

    Only a build that failed leaves vectors behind: while none has failed within `looks_back`, no store is asked and
    `indexes`, which may load libraries, is not called. What belongs to a build that this installation does not know is
    another's, and stays.
    """

    open_unit_of_work: OpenUnitOfWork
    clock: Clock
    indexes: Callable[[], Iterable[SweptVectorIndex]]
    looks_back: timedelta = timedelta(days=7)

    def run_pass(self) -> int:
        """Remove what nothing names, and say how many."""
        with self.open_unit_of_work() as uow:
            if not uow.index_builds.has_failed_since(self.clock.now() - self.looks_back):
                return 0
        return sum(map(self._swept, self.indexes()))

    def _swept(self, index: SweptVectorIndex) -> int:
        stored = list(index.stored())  # first the stores and then the builds: what is new is known by then
        with self.open_unit_of_work() as uow:
            states = uow.index_builds.states([each.build_id for each in stored])
        removed = 0
        for each in stored:
            if each.build_id in states and not _is_kept(each, *states[each.build_id]):
                index.drop(each.manifest)
                log.info("removed %s, which nothing names", dict(each.manifest))
                removed += 1
        return removed


def _is_kept(stored: StoredVectors, status: str, manifest: JsonObject) -> bool:
    is_named = status == RunStatus.SUCCEEDED and stored.manifest.items() <= manifest.items()
    return is_named or status in _STILL_COMING
