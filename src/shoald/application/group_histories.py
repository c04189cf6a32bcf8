"""Groups over time: a question about a completed run goes in; a job answers it once, and what it wrote comes out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shoald.application.access import Caller
from shoald.application.artifacts import LINK_SECONDS, Export
from shoald.application.document_reading import path_of
from shoald.application.file_links import FileAddresses
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.listing import ListQuery, PageCursors
from shoald.application.ports.clock import Clock
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import ArtifactNotFound, InvalidFields, JobNotFound
from shoald.domain.histories.times import TimeReader
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import BucketUnit, NumberUnit
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobState, JobType

STORED_AT, CHANGED_AT = "created_at", "updated_at"
HISTORY, DRIFT, NEWS = "history", "drift", "new_documents"
TOO_FINE, NO_TIMES = "too_fine", "no_times"
"""What a job says of a question that it cannot answer as it is asked."""
MOST_BEHIND = 1000
"""Runs that a run is compared with at most, each of which took up the groups of the next."""
_LEAST_SECONDS, _MEMBER_SECONDS, _DRIFT_SECONDS = 0.02, 20e-6, 3e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeQuestion:
    """Where times are read: a dotted path, the zone of times without an offset, and what numbers count."""

    field: str = STORED_AT
    time_zone: str = "UTC"
    unit: str | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """The names of the keys."""
        return tuple(self.field.split("."))

    @property
    def reader(self) -> TimeReader:
        """What reads the times; raises `InvalidFields` for a zone that there is not."""
        return TimeReader(zone_of(self.time_zone), None if self.unit is None else NumberUnit(self.unit))


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryQuestion(TimeQuestion):
    """How groups grow, by which stretches of time."""

    bucket: str = BucketUnit.MONTH.value


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsQuestion(TimeQuestion):
    """What is new since a time, and the documents of which group are listed; None: of all."""

    since: str
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a job wrote: `about` is all but the rows, `file` says where those lie (`key`, `sha256`, `bytes`, `rows`)."""

    run: ClusterRun
    job_id: str
    about: JsonObject
    file: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsPage:
    """One page of new documents, in columns; `next_cursor` is None on the last."""

    answered: Answered
    columns: Mapping[str, Any]
    offset: int
    limit: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What a job is asked: its kind, what goes into its payload, and how long it may take."""

    kind: str
    asked: JsonObject
    seconds: float
    state: JsonObject = field(default_factory=dict[str, Any])


class GroupHistories:
    """Answers questions about completed runs of the caller's, each once by a job while nothing that counts changes.

    All raise `DeadlineExceeded` when an answer takes longer than `seconds`; the job goes on then.
    """

    def __init__(  # noqa: PLR0913 - its ports
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        tables: RunTables,
        jobs: Jobs,
        cursors: PageCursors,
        addresses: FileAddresses,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._tables = tables
        self._jobs = jobs
        self._cursors = cursors
        self._addresses = addresses

    def history(self, caller: Caller, run: ClusterRun, asked: HistoryQuestion, *, seconds: float) -> Answered:
        """Count documents by group and stretch of time; the rows are those of `GroupCounts.rows`.

        Raises `InvalidFields` for a field without times, an unknown zone, and a bucket that gives too many rows.
        """
        _require_readable(asked)
        question = self._timed(caller, run, HISTORY, asked)
        answered = self._answered(caller, run, question, seconds)
        _refuse_unanswered(answered.about, asked)
        return answered

    def drift(self, caller: Caller, run: ClusterRun, earlier: str | None, *, seconds: float) -> Answered:
        """Compare the groups with those of an earlier run that the run goes back to, None: of the one before.

        Raises `ArtifactNotFound` for a run that took up the groups of none, and `InvalidFields` for another run.
        """
        with self._open_unit_of_work() as uow:
            found = _earlier_run(uow, run, earlier)
        named = {one.run_id: _names_hash(one) for one in (run, found)}
        members = run.num_points + found.num_points
        cost = _LEAST_SECONDS + _DRIFT_SECONDS * members
        question = _Question(kind=DRIFT, asked={"earlier_run_id": found.run_id}, seconds=cost, state=named)
        return self._answered(caller, run, question, seconds)

    def news(
        self, caller: Caller, run: ClusterRun, asked: NewsQuestion, *, limit: int, cursor: str | None, seconds: float
    ) -> NewsPage:
        """Return what is new since a time, and one page of the documents, newest first.

        Pages of one cursor are those of one answer, while that is kept. Raises `InvalidFields` for a field without
        times, an unknown zone, a time that cannot be read, and a group that the run does not have.
        """
        _require_readable(asked)
        _require_since(asked)
        _require_group(run, asked.group)
        question = self._timed(caller, run, NEWS, asked)
        query = ListQuery(limit=limit, cursor=cursor, filters=question.asked)
        scope = f"news/{run.run_id}"
        job_id, _, offset = str(self._cursors.open(scope, query) or "/0").partition("/")
        answered = self._kept(caller, run, job_id) or self._answered(caller, run, question, seconds)
        _refuse_unanswered(answered.about, asked)
        at = int(offset)
        columns = self._page(answered, at, limit)
        is_last = at + limit >= int(answered.file["rows"])
        following = None if is_last else self._cursors.seal(scope, query, f"{answered.job_id}/{at + limit}")
        return NewsPage(answered=answered, columns=columns, offset=at, limit=limit, next_cursor=following)

    def rows(self, answered: Answered) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of an answer in batches of columns; flat memory."""
        with self._objects.local_copy(answered.file["key"], answered.file["sha256"]) as path:
            yield from self._tables.read(path)

    def arrow(self, answered: Answered, *, max_bytes: int) -> Iterator[tuple[bytes, int]]:
        """Yield the rows as Arrow IPC streams of one batch each, with the rows in each."""
        with self._objects.local_copy(answered.file["key"], answered.file["sha256"]) as path:
            yield from self._tables.arrow_messages(path, max_bytes=max_bytes)

    def export(self, answered: Answered, kind: str) -> Export:
        """Return a short-lived address of the rows as a Parquet file."""
        filename = f"{kind}_{answered.run.run_id}.parquet"
        return Export(
            url=self._addresses.of(answered.file["key"], filename=filename, seconds=LINK_SECONDS),
            filename=filename,
            expires_at=self._clock.now().replace(microsecond=0) + timedelta(seconds=LINK_SECONDS),
            size_bytes=answered.file["bytes"],
            sha256=answered.file["sha256"],
            rows=answered.file["rows"],
        )

    def _timed(self, caller: Caller, run: ClusterRun, kind: str, asked: TimeQuestion) -> _Question:
        """Return a question about times; another answer is due when documents or names of groups changed."""
        with self._open_unit_of_work() as uow:
            collections = uow.collections.get_many(caller.namespace_id, list(run.revisions))
        revisions: dict[str, Any] = {one.collection_id: one.revision for one in collections}
        if CHANGED_AT in asked.path:  # what runs write back changes that, and no revision
            revisions["now"] = self._clock.now().isoformat()
        return _Question(
            kind=kind,
            asked=asdict(asked),
            seconds=_LEAST_SECONDS + _MEMBER_SECONDS * run.num_points,
            state={"collections": revisions, "names": _names_hash(run)},
        )

    def _answered(self, caller: Caller, run: ClusterRun, question: _Question, seconds: float) -> Answered:
        job = self._accepted(caller, run, question)
        return _answer_of(run, job if job.state == JobState.COMPLETED else self._jobs.finish(job, seconds))

    def _accepted(self, caller: Caller, run: ClusterRun, question: _Question) -> Job:
        """Return the job of a question: that of the day, which answers all that ask the same.

        Its file is swept when it is older than a day, so that the file of a day's job is there for that day.
        """
        request = self._request(caller, run, question)
        return self._jobs.accepted_once(self._open_unit_of_work, request, self._is_there)

    def _request(self, caller: Caller, run: ClusterRun, question: _Question) -> JobRequest:
        payload = {
            "cluster_id": run.cluster_id,
            "run_id": run.run_id,
            "collection_ids": list(run.revisions),
            "kind": question.kind,
            "asked": question.asked,
        }
        told = json.dumps([payload, question.state], sort_keys=True)
        today = self._clock.now().date().isoformat()
        return JobRequest(
            job_type=JobType.RUN_HISTORY,
            payload=payload,
            caller=caller,
            idempotency_key=f"{JobType.RUN_HISTORY}/{today}/{hashlib.sha256(told.encode()).hexdigest()}",
            estimated_seconds=question.seconds,
        )

    def _is_there(self, job: Job) -> bool:
        """Say whether a job answers, or will; one whose file was taken away does not."""
        return job.state != JobState.COMPLETED or self._objects.exists(job.result["file"]["key"])

    def _kept(self, caller: Caller, run: ClusterRun, job_id: str) -> Answered | None:
        """Return the answer that a cursor was made for, if it is still there."""
        if not job_id:
            return None
        try:
            job = self._jobs.get(caller, job_id)
        except JobNotFound:
            return None
        is_there = job.state == JobState.COMPLETED and self._objects.exists(job.result["file"]["key"])
        return _answer_of(run, job) if is_there else None

    def _page(self, answered: Answered, offset: int, limit: int) -> Mapping[str, Any]:
        skip, found = offset, dict[str, list[Any]]()
        for batch in self.rows(answered):
            rows = len(batch["document_id"])
            for name, column in batch.items():
                found.setdefault(name, []).extend(column[skip : skip + limit])
            skip, limit = max(0, skip - rows), limit - max(0, min(limit, rows - skip))
            if limit <= 0:
                break
        return found


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone by its name; raises `InvalidFields` for one that there is not."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        message = "must be the name of a time zone such as Europe/Berlin"
        raise InvalidFields.field("query", "time_zone", message=message, value=name) from error


def run_ids_between(uow: UnitOfWork, run: ClusterRun, earlier: str) -> list[str] | None:
    """Return the ids of a run and of those before it, newest first, until the earlier one; None if it is none of them.

    The descriptions of the runs' groups, which may be thousands in each, are not read.
    """
    found, before = [run.run_id], run.previous_run_id
    while found[-1] != earlier:
        if before is None or len(found) > MOST_BEHIND:
            return None
        known = uow.cluster_runs.get_many([before]).get(before)
        if known is None or known.cluster_id != run.cluster_id:
            return None
        found.append(known.run_id)
        before = known.previous_run_id
    return found


def _earlier_run(uow: UnitOfWork, run: ClusterRun, asked: str | None) -> ClusterRun:
    before = asked or run.previous_run_id
    if before is None:
        message = "This execution took up the groups of none before it; there is nothing to compare it with."
        raise ArtifactNotFound(message, detail={"run_id": run.run_id})
    run_ids = None if before == run.run_id else run_ids_between(uow, run, before)
    found = None if run_ids is None else uow.cluster_runs.get(run_ids[-1])
    if found is None:
        known = run.previous_run_id
        nearest = "it goes back to none" if known is None else f"the one before it is {known}"
        message = f"must be an execution that {run.run_id} goes back to: {nearest}"
        raise InvalidFields.field("query", "earlier_run_id", message=message, value=before)
    return found


def _require_readable(asked: TimeQuestion) -> None:
    try:
        path_of(asked.field)
    except InvalidFields as error:
        raise InvalidFields.field("query", "field", message=error.problems[0].message, value=asked.field) from error
    zone_of(asked.time_zone)


def _require_since(asked: NewsQuestion) -> None:
    if asked.reader.read(asked.since) is None:
        forms = "a time such as 2024-05-17T09:30:00Z, a date such as 2024-05-17, or seconds since 1970"
        message = f"must be {forms}, of the years 2 to 9998"
        raise InvalidFields.field("query", "since", message=message, value=asked.since)


def _require_group(run: ClusterRun, group: str | None) -> None:
    if group not in {None, NOISE_MEMBER, NOISE_CENTROID, *(row["cluster_id"] for row in run.centroids)}:
        message = "must be the id of a group of this execution"
        raise InvalidFields.field("query", "in_group", message=message, value=group)


def _refuse_unanswered(about: JsonObject, asked: TimeQuestion) -> None:
    problem = about.get("problem")
    if problem == NO_TIMES:
        raise InvalidFields.field("query", "field", message=_without_times(about["times"]), value=asked.field)
    if problem == TOO_FINE and isinstance(asked, HistoryQuestion):
        message = f"gives more than {about['most_rows']} rows; take a longer one"
        raise InvalidFields.field("query", "bucket", message=message, value=asked.bucket)


def _without_times(times: JsonObject) -> str:
    example = times["unreadable_example"]
    if example is None:
        return "no document of this execution has a value there"
    return (
        f"no document of this execution has a time there, but values such as {example}; a time is an RFC 3339 text, "
        "a date, or seconds or milliseconds since 1970"
    )


def _names_hash(run: ClusterRun) -> str:
    names = [[row["cluster_id"], row.get("label")] for row in run.groups]
    return hashlib.sha256(json.dumps(names).encode()).hexdigest()


def _answer_of(run: ClusterRun, job: Job) -> Answered:
    return Answered(run=run, job_id=job.job_id, about=job.result["about"], file=job.result["file"])
