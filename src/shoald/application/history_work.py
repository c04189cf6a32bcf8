"""A question about a run over time goes in; its rows as a Parquet file, and what is said of them, come out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.former_runs import FormerRuns
from shoald.application.group_histories import (
    DRIFT,
    HISTORY,
    NEWS,
    NO_TIMES,
    TOO_FINE,
    HistoryQuestion,
    NewsQuestion,
    run_ids_between,
)
from shoald.application.member_times import MemberTimes, TimedMembers, TimesRead
from shoald.application.object_sweep import EXPORTS
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import Columns, RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import MEMBERS
from shoald.domain.clustering.drift import Drift, DriftRow, Link, RunGroups, drift_between, linked_through, links_of
from shoald.domain.clustering.spaces import Floats
from shoald.domain.failures import ExecutionNotFound
from shoald.domain.histories.buckets import Buckets
from shoald.domain.histories.group_counts import MOST_ROWS, GroupCounts, HistoryRow, group_lines
from shoald.domain.histories.news import News
from shoald.domain.histories.times import moment
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import BucketUnit
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.records.job import Job

_KEY_BYTES = 16
_TOGETHER = 65_536


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is said of an answer, and its rows as columns."""

    about: JsonObject
    columns: Columns


class HistoryHandler:
    """`JobHandler` of questions about runs over time. An attempt writes apart from those before it."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, tables: RunTables) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._tables = tables
        self._times = MemberTimes(open_unit_of_work=open_unit_of_work, objects=objects, tables=tables)
        self._runs = FormerRuns(objects=objects, tables=tables)

    def run(self, context: JobContext) -> None:
        """Answer the question and write the rows."""
        payload = context.job.payload
        with self._open_unit_of_work() as uow:
            run = _run(uow, payload["run_id"])
        answers: Mapping[str, Callable[[JobContext, ClusterRun], _Answer]] = {
            HISTORY: self._history,
            DRIFT: self._drift,
            NEWS: self._news,
        }
        answer = answers[payload["kind"]](context, run)
        file = self._written(context.job, payload["kind"], answer.columns)
        with self._open_unit_of_work() as uow:
            context.complete(uow, {"about": answer.about, "file": file})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Nothing follows the job: it writes a file alone."""

    def _written(self, job: Job, kind: str, columns: Columns) -> JsonObject:
        with self._objects.open_writer() as writer:
            rows = self._tables.write(writer, columns, metadata={"run_id": job.payload["run_id"], "kind": kind})
            stored = writer.publish(f"{EXPORTS}/{job.job_id}/{job.attempt}/{kind}.parquet")
        return {"key": stored.key, "sha256": stored.sha256, "bytes": stored.size, "rows": rows}

    def _history(self, context: JobContext, run: ClusterRun) -> _Answer:
        asked = HistoryQuestion(**context.job.payload["asked"])
        counts = GroupCounts(Buckets(BucketUnit(asked.bucket), asked.reader.zone))
        read = TimesRead(field=asked.field)
        for some in self._times.read(run, asked, read, _stepper(context, HISTORY)):
            for group, time in zip(some.groups, some.times, strict=True):
                counts.add(group, time)
            if counts.is_too_fine:
                break
        rows = counts.rows(group_lines(run.groups))
        about = {"times": read.as_json(), "bucket": asked.bucket, "time_zone": asked.time_zone, "most_rows": MOST_ROWS}
        if rows is None:
            return _Answer({**about, "problem": TOO_FINE}, _history_columns([]))
        return _Answer({**about, "problem": _problem(read)}, _history_columns(rows))

    def _news(self, context: JobContext, run: ClusterRun) -> _Answer:
        asked = NewsQuestion(**context.job.payload["asked"])
        since = asked.reader.read(asked.since) or 0
        group = NOISE_CENTROID if asked.group == NOISE_MEMBER else asked.group
        news, read = News(since=since, group=group, lines=group_lines(run.groups)), TimesRead(field=asked.field)
        for some in self._times.read(run, asked, read, _stepper(context, NEWS)):
            _note(news, some)
        about = {
            "times": read.as_json(),
            "since": moment(since).isoformat(),
            "total": news.total,
            "groups": [
                {
                    "cluster_id": line.cluster_id,
                    "label": line.label,
                    "hierarchy_level": line.level,
                    "new_documents": count,
                    "members": line.members,
                }
                for line, count in news.by_group()
            ],
            "problem": _problem(read),
        }
        return _Answer(about, _news_columns(news))

    def _drift(self, context: JobContext, run: ClusterRun) -> _Answer:
        earlier, links = self._earlier(run, context.job.payload["asked"])
        step = _stepper(context, DRIFT)
        before, after = self._groups(earlier), self._groups(run)
        step(0.8)
        if not _is_same_space(earlier, run):
            before = RunGroups(
                lines=before.lines, centroids={}, keys=before.keys, groups=before.groups, words=before.words
            )
        drift = drift_between(before, after, links)
        about = {
            "earlier_run_id": earlier.run_id,
            "members_in_both": drift.in_both,
            "members_moved": drift.moved,
            "share_moved": drift.share_moved,
            "members_new": drift.new,
            "members_gone": drift.gone,
            "mean_centroid_cosine": drift.mean_cosine,
        }
        return _Answer(about, _drift_columns(drift))

    def _earlier(self, run: ClusterRun, asked: JsonObject) -> tuple[ClusterRun, set[Link]]:
        """Return the earlier run, and which of its groups go on in which of the run's."""
        with self._open_unit_of_work() as uow:
            run_ids = run_ids_between(uow, run, asked["earlier_run_id"])
            if run_ids is None:
                raise ExecutionNotFound(detail=asked)
            return _run(uow, run_ids[-1]), _links(uow, run_ids)

    def _groups(self, run: ClusterRun) -> RunGroups:
        """Read the members of a run as hashes of 128 bits: 20 bytes for each."""
        stored, at = run.artifacts[MEMBERS], 0
        keys = np.empty(stored["rows"], dtype=f"S{_KEY_BYTES}")
        groups = np.empty(stored["rows"], dtype=np.int32)
        words: dict[str, int] = {}
        columns = ["point_id", "collection_id", "cluster_id", "feature"]
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            for batch in self._tables.read(path, columns=columns, batch_rows=_TOGETHER):
                end = at + len(batch["point_id"])
                keys[at:end] = _keys(batch)
                groups[at:end] = [words.setdefault(one, len(words)) for one in batch["cluster_id"]]
                at = end
        keys, first = np.unique(keys, return_index=True)
        centroids: dict[str, Floats] = self._runs.centroids(run)
        return RunGroups(
            lines=group_lines(run.groups), centroids=centroids, keys=keys, groups=groups[first], words=list(words)
        )


def _run(uow: UnitOfWork, run_id: str) -> ClusterRun:
    found = uow.cluster_runs.get(run_id)
    if found is None:
        raise ExecutionNotFound(detail={"run_id": run_id})
    return found


def _keys(batch: Mapping[str, Any]) -> list[bytes]:
    features: Sequence[Any] = batch.get("feature") or [None] * len(batch["point_id"])
    named = zip(batch["collection_id"], batch["point_id"], features, strict=True)
    return [hashlib.blake2b(repr(one).encode(), digest_size=_KEY_BYTES).digest() for one in named]


def _links(uow: UnitOfWork, run_ids: Sequence[str]) -> set[Link]:
    """Return which groups of the earliest run go on in which of the latest; runs come newest first, one is held."""
    found = links_of(_run(uow, run_ids[-2]).lineage)
    for run_id in reversed(run_ids[:-2]):
        found = linked_through(found, links_of(_run(uow, run_id).lineage))
    return found


def _is_same_space(one: ClusterRun, other: ClusterRun) -> bool:
    """Say whether centroids of both can be compared: sparse vectors are reduced to components of their own."""
    first, second = ((run.effective.get("input") or {}).get("reductions") for run in (one, other))
    return bool(first == second)


def _stepper(context: JobContext, stage: str) -> Callable[[float], None]:
    return lambda share: context.progress(stage, 0.95 * share)


def _problem(read: TimesRead) -> str | None:
    return NO_TIMES if not read.with_time and (read.without_time or read.unreadable) else None


def _note(news: News, some: TimedMembers) -> None:
    for at, time in enumerate(some.times):
        if time >= news.since:
            news.add(some.groups[at], time, (some.collection_ids[at], some.ids[at]))


def _times(values: Sequence[int]) -> npt.NDArray[np.datetime64]:
    return np.array(values, dtype="datetime64[ms]")


def _history_columns(rows: Sequence[HistoryRow]) -> Columns:
    return {
        "cluster_id": [row.group.cluster_id for row in rows],
        "label": [row.group.label for row in rows],
        "hierarchy_level": np.array([row.group.level for row in rows], dtype=np.int32),
        "bucket": [row.bucket for row in rows],
        "starts_at": _times([row.starts_at for row in rows]),
        "ends_at": _times([row.ends_at for row in rows]),
        "documents": np.array([row.documents for row in rows], dtype=np.int32),
        "change": np.array([row.change for row in rows], dtype=np.int32),
        "total": np.array([row.total for row in rows], dtype=np.int32),
        "share": np.array([row.share for row in rows], dtype=np.float64),
    }


def _news_columns(news: News) -> Columns:
    listed = news.listed()
    return {
        "document_id": [one.document_id for one in listed],
        "collection_id": [one.collection_id for one in listed],
        "cluster_id": [one.group.cluster_id for one in listed],
        "label": [one.group.label for one in listed],
        "at": _times([one.time for one in listed]),
    }


def _drift_columns(drift: Drift) -> Columns:
    rows = drift.rows
    before, after = [row.before for row in rows], [row.after for row in rows]
    sizes = [np.array([one.members if one else 0 for one in side], dtype=np.int32) for side in (before, after)]
    return {
        "fate": [str(row.fate) for row in rows],
        "earlier_cluster_id": [one and one.cluster_id for one in before],
        "cluster_id": [one and one.cluster_id for one in after],
        "earlier_label": [one and one.label for one in before],
        "label": [one and one.label for one in after],
        "hierarchy_level": np.array([_level(row) for row in rows], dtype=np.int32),
        "earlier_members": sizes[0],
        "members": sizes[1],
        "change": sizes[1] - sizes[0],
        "shared": np.array([row.shared for row in rows], dtype=np.int32),
        "share_moved": _numbers([row.share_moved for row in rows]),
        "centroid_cosine": _numbers([row.cosine for row in rows]),
    }


def _level(row: DriftRow) -> int:
    line = row.after or row.before
    return line.level if line else 0


def _numbers(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
