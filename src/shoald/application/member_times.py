"""The members of a run and a question about times go in; batch by batch, the time of each member comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoald.application.group_histories import TimeQuestion
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.run_artifacts import MEMBERS
from shoald.domain.histories.times import TimeReader, moment
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun

_TOGETHER = 8192
_EXAMPLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedMembers:
    """Some members whose time is known, as columns of one length; `times` in milliseconds since 1970 in UTC."""

    ids: Sequence[str]
    collection_ids: Sequence[str]
    groups: Sequence[str]
    times: Sequence[int]


@dataclass(slots=True, kw_only=True)
class TimesRead:
    """What was read so far."""

    field: str
    with_time: int = 0
    without_time: int = 0
    unreadable: int = 0
    unreadable_example: str | None = None
    gone: int = 0
    earliest: int | None = None
    latest: int | None = None

    def as_json(self) -> JsonObject:
        """Return it as it is kept, its times as texts."""
        found: dict[str, Any] = {name: getattr(self, name) for name in type(self).__slots__}
        return {**found, "earliest": _text(self.earliest), "latest": _text(self.latest)}

    def note_unreadable(self, value: Any) -> None:
        """Count a value that is no time; the first of them is the example."""
        self.unreadable += 1
        if self.unreadable_example is None:
            self.unreadable_example = json.dumps(value, ensure_ascii=False)[:_EXAMPLE]

    def note_time(self, time: int) -> None:
        """Count a time."""
        self.with_time += 1
        self.earliest = time if self.earliest is None else min(self.earliest, time)
        self.latest = time if self.latest is None else max(self.latest, time)


class MemberTimes:
    """Reads times in one pass over the members of a run and one query for each batch of them; flat memory."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, tables: RunTables) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._tables = tables

    def read(
        self, run: ClusterRun, asked: TimeQuestion, read: TimesRead, step: Callable[[float], None]
    ) -> Iterator[TimedMembers]:
        """Yield the members whose time is known, and count all of them in `read`; `step` is told how far it is."""
        stored, done, reader = run.artifacts[MEMBERS], 0, asked.reader
        columns = ["point_id", "collection_id", "cluster_id"]
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            for batch in self._tables.read(path, columns=columns, batch_rows=_TOGETHER):
                values = self._values(run, batch, asked)
                yield _timed(batch, values, reader, read)
                done += len(batch["point_id"])
                step(done / max(1, stored["rows"]))

    def _values(self, run: ClusterRun, batch: Mapping[str, Any], asked: TimeQuestion) -> dict[tuple[str, str], Any]:
        with self._open_unit_of_work() as uow:
            known = uow.collections.get_many(run.namespace_id, list(dict.fromkeys(batch["collection_id"])))
            if not known:
                return {}
            return uow.collections.values([one.collection_id for one in known], batch["point_id"], asked.path)


def _timed(
    batch: Mapping[str, Any], values: Mapping[tuple[str, str], Any], reader: TimeReader, read: TimesRead
) -> TimedMembers:
    kept: list[int] = []
    times: list[int] = []
    for at, key in enumerate(zip(batch["collection_id"], batch["point_id"], strict=True)):
        time = _time_of(values, key, reader, read)
        if time is not None:
            kept.append(at)
            times.append(time)
    names = {"ids": "point_id", "collection_ids": "collection_id", "groups": "cluster_id"}
    return TimedMembers(times=times, **{name: [batch[column][at] for at in kept] for name, column in names.items()})


def _time_of(
    values: Mapping[tuple[str, str], Any], key: tuple[str, str], reader: TimeReader, read: TimesRead
) -> int | None:
    if key not in values:
        read.gone += 1
        return None
    value = values[key]
    if value is None:
        read.without_time += 1
        return None
    time = reader.read(value)
    if time is None:
        read.note_unreadable(value)
    else:
        read.note_time(time)
    return time


def _text(time: int | None) -> str | None:
    return None if time is None else moment(time).isoformat()
