"""Moves jobs along and their domain rows (build, run) with them, in one transaction each; waits for a lost database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shoald.application.ports.jobs import JobHandler
from shoald.application.ports.repositories.jobs import Moved
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.job_states import CancelRequested, JobEvent, Step
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import JobState

_SHOWN_ENDS = frozenset({JobState.FAILED, JobState.CANCELED, JobState.SKIPPED})


@dataclass(frozen=True, kw_only=True)
class JobMoves:
    """Applies events to jobs; `handlers` by job type say what else changes with a job."""

    open_unit_of_work: OpenUnitOfWork
    handlers: Mapping[str, JobHandler]

    def move(
        self, job_id: str, *events: JobEvent, error_detail: JsonObject | None = None, skip_locked: bool = False
    ) -> Moved | None:
        """Apply events one after another in one transaction; None when the last of them changed nothing."""
        with self.open_unit_of_work() as uow:
            moved = None
            for event in events:
                moved = self.move_within(uow, job_id, event, error_detail=error_detail, skip_locked=skip_locked)
            uow.commit()
        return moved

    def move_within(
        self,
        uow: UnitOfWork,
        job_id: str,
        event: JobEvent,
        *,
        error_detail: JsonObject | None = None,
        skip_locked: bool = False,
    ) -> Moved | None:
        """Apply one event in an open transaction, and let the domain rows follow."""
        moved = uow.jobs.apply(job_id, event, error_detail=error_detail, skip_locked=skip_locked)
        handler = None if moved is None else self.handlers.get(moved.job.job_type)
        if moved is not None and handler is not None and _changes_what_users_see(moved.step, moved.entered):
            handler.follow(uow, moved.job)
        return moved

    def cancel(self, job_id: str) -> Moved | None:
        """Ask for a job's end: at once when it waits, else by whoever runs it."""
        return self.move(job_id, CancelRequested())


def _changes_what_users_see(taken: Step, entered: bool) -> bool:  # noqa: FBT001 - two facts of one move
    first_claim = taken.edge == "T2" and taken.row.attempt == 1
    return entered and (first_claim or taken.row.state in _SHOWN_ENDS)
