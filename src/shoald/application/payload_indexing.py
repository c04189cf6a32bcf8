"""Indexes of payload fields: built, and taken away again, by jobs that stop and go on anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from shoald.application.access import Caller
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.ports.clock import Clock
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.repositories.jobs import JobFilter
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import Busy
from shoald.domain.records.job import Job
from shoald.domain.records.payload_index import REMOVING, DeclaredIndex
from shoald.domain.vocabulary import JobType

AGAIN_AFTER = timedelta(minutes=10)
"""How long an index whose job ended without it waits for the next."""

REMOVED_AFTER = timedelta(minutes=5)
"""How long the values of a field stay that is declared no more: calls that began before may still ask them."""

_TOGETHER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadIndexRound:
    """Asks for a job for each index that is not as declared, once more where the last one ended without it."""

    open_unit_of_work: OpenUnitOfWork
    jobs: Jobs
    clock: Clock

    def run_pass(self) -> int:
        """Accept the jobs that are missing, and say how many."""
        with self.open_unit_of_work() as uow:
            waiting = [one for one in uow.collections.unfinished_indexes() if self._is_due(one)]
        accepted = [job for index in waiting if (job := self._tried(index)) is not None]
        for job in accepted:
            self.jobs.dispatch(job)
        return len(accepted)

    def _is_due(self, index: DeclaredIndex) -> bool:
        return index.state != REMOVING or index.created_at + REMOVED_AFTER <= self.clock.now()

    def _tried(self, index: DeclaredIndex) -> Job | None:
        """Accept a job unless too many of its namespace wait: that keeps no other namespace's indexes waiting."""
        try:
            return self._accepted(index)
        except Busy:
            return None

    def _accepted(self, index: DeclaredIndex) -> Job | None:
        asked = {"field_name": index.field_name, "state": index.state, "since": index.created_at.isoformat()}
        with self.open_unit_of_work() as uow:
            last = _last_job(uow, index.namespace_id, asked)
            if last is not None and not self._is_over(last):
                return None
            behind = "" if last is None else last.job_id
            request = JobRequest(
                job_type=JobType.PAYLOAD_INDEX,
                payload=asked,
                caller=Caller(namespace_id=index.namespace_id),
                idempotency_key=f"payload-index/{index.field_name}/{asked['since']}/{behind}",
                fingerprint=asked,
            )
            if self.jobs.accepted_before(uow, request) is not None:
                return None
            job = self.jobs.accept(uow, request)
            uow.commit()
        return job

    def _is_over(self, job: Job) -> bool:
        return job.finished_at is not None and job.finished_at + AGAIN_AFTER <= self.clock.now()


def _last_job(uow: UnitOfWork, namespace_id: str, asked: dict[str, str]) -> Job | None:
    wanted = JobFilter(namespace_id=namespace_id, job_types=[JobType.PAYLOAD_INDEX], payload=asked)
    return next(iter(uow.jobs.find(wanted, limit=1)), None)


class PayloadIndexHandler:
    """`JobHandler` of indexes: some documents at a time, each time in a transaction that keeps writers waiting."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, together: int = _TOGETHER) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._together = together

    def run(self, context: JobContext) -> None:
        """Store the values of the field for every document of the namespace, then let pages ask the index; or take
        them away.

        Goes on where an attempt or a job before it stopped; an index that is not as it was is left alone.
        """
        asked = context.job.payload
        since = datetime.fromisoformat(asked["since"])
        index = DeclaredIndex(context.job.namespace_id, asked["field_name"], asked["state"], since)
        with self._open_unit_of_work() as uow:
            total = max(1, uow.namespaces.counts(index.namespace_id).documents)
        done = 0
        while (documents := self._advanced(index)) is not None:
            done += documents
            context.progress(index.state, min(1.0, done / total))
        with self._open_unit_of_work() as uow:
            uow.collections.finish_index(index)
            context.complete(uow, {"field_name": index.field_name, "documents": done})
            uow.commit()

    def _advanced(self, index: DeclaredIndex) -> int | None:
        with self._open_unit_of_work() as uow:
            documents = uow.collections.advance_index(index, self._together)
            if documents is not None:
                uow.commit()
        return documents

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """An index has no other rows that tell of its job."""
