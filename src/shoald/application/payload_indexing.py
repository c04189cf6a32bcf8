"""Indexes of payload fields, built by jobs for what was stored before the field was declared."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.application.access import Caller
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.records.job import Job
from shoald.domain.records.payload_index import BUILDING, DeclaredIndex
from shoald.domain.vocabulary import JobType


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadIndexRound:
    """Asks for a job for each declared index that is not built yet."""

    open_unit_of_work: OpenUnitOfWork
    jobs: Jobs

    def run_pass(self) -> int:
        """Accept the jobs that are missing, and say how many."""
        with self.open_unit_of_work() as uow:
            waiting = uow.collections.declared_indexes(state=BUILDING)
        accepted = [job for index in waiting if (job := self._accepted(index)) is not None]
        for job in accepted:
            self.jobs.dispatch(job)
        return len(accepted)

    def _accepted(self, index: DeclaredIndex) -> Job | None:
        asked = {"field_name": index.field_name, "declared_at": index.created_at.isoformat()}
        request = JobRequest(
            job_type=JobType.PAYLOAD_INDEX,
            payload=asked,
            caller=Caller(namespace_id=index.namespace_id),
            idempotency_key=f"payload-index/{index.field_name}/{asked['declared_at']}",
            fingerprint=asked,
        )
        with self.open_unit_of_work() as uow:
            if self.jobs.accepted_before(uow, request) is not None:
                return None
            job = self.jobs.accept(uow, request)
            uow.commit()
        return job


class PayloadIndexHandler:
    """`JobHandler` of indexes: one collection after another, each in a transaction that keeps its writers waiting."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open_unit_of_work = open_unit_of_work

    def run(self, context: JobContext) -> None:
        """Store the values of the field for every collection of the namespace, then let pages ask the index.

        Done again from the start it gives the same; an index that nobody declares any more is left alone.
        """
        namespace_id, field_name = context.job.namespace_id, context.job.payload["field_name"]
        with self._open_unit_of_work() as uow:
            ids = uow.collections.ids_in(namespace_id, hidden=True)
        for at, collection_id in enumerate(ids):
            context.progress("building", at / len(ids))
            with self._open_unit_of_work() as uow:
                if uow.collections.lock(collection_id) is not None:
                    uow.collections.build_index(namespace_id, collection_id, field_name)
                    uow.commit()
        with self._open_unit_of_work() as uow:
            for index in uow.collections.declared_indexes(namespace_id):
                if index.field_name == field_name:
                    uow.collections.finish_index(index)
            context.complete(uow, {"field_name": field_name, "collections": len(ids)})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """An index has no other rows that tell of its job."""
