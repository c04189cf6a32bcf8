"""Maps of runs: a run goes in; its groups, and members that are drawn evenly from all of them, come out with places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shoald.application.access import Caller
from shoald.application.artifacts import SOLID
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import Columns, RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.run_artifacts import MEMBERS
from shoald.domain.failures import ArtifactNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, ClusterRun, member_word
from shoald.domain.records.job import Job
from shoald.domain.vocabulary import JobType

MOST_POINTS = 10_000
_AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMap:
    """The map of a run in 2 or 3 `dimensions`.

    `groups` are described as the run describes them; `labels` hold their names by the ids that members carry.
    `members` reads some columns of `drawn` of the run's `total` members in batches: `point_id` and `cluster_id` as
    lists, `x`, `y` and `z` as (n,) float32.
    """

    run: ClusterRun
    dimensions: int
    groups: tuple[JsonObject, ...]
    labels: Mapping[str, str | None]
    total: int
    drawn: int
    members: Callable[[Sequence[str]], Iterator[Columns]]

    @property
    def axes(self) -> tuple[str, ...]:
        """The names of the map's axes."""
        return _AXES[: self.dimensions]


class RunMaps:
    """Reads maps from the artifacts of runs; flat memory, whatever their size."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, tables: RunTables, jobs: Jobs
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._tables = tables
        self._jobs = jobs

    def with_map(self, caller: Caller, run: ClusterRun, *, seconds: float) -> ClusterRun:
        """Return a completed run that has its map: one that put it off gets it now, by a job, once for all calls.

        Raises `DeadlineExceeded` when that takes longer, and the job goes on; `ArtifactNotFound` when the vectors that
        the run read are kept no longer.
        """
        if run.effective["map"]["dimensions"] is not None:
            return run
        self._jobs.finish(self._accepted(caller, run), seconds)
        with self._open_unit_of_work() as uow:
            return uow.cluster_runs.get(run.run_id) or run

    def _accepted(self, caller: Caller, run: ClusterRun) -> Job:
        request = JobRequest(
            job_type=JobType.CLUSTER_MAP,
            payload={"cluster_id": run.cluster_id, "run_id": run.run_id},
            caller=caller,
            idempotency_key=f"{JobType.CLUSTER_MAP}/{run.run_id}",
        )
        return self._jobs.accepted_once(self._open_unit_of_work, request)

    def of(self, run: ClusterRun, *, most: int = MOST_POINTS, feature: str | None = None) -> RunMap:
        """Return the map of a completed run, of one feature where each was grouped by itself (None: the first).

        Members stand in the order of their groups and are taken at equal steps, so that each group has its share and
        the same ones come again. `most` may be 0. Raises `ArtifactNotFound` when the run made no map.
        """
        dimensions = _dimensions(run)
        feature = feature or next(iter(run.effective.get("features", ())), None)
        where = None if feature is None else ("feature", feature)
        groups = tuple(row for row in run.groups if _is_shown(row, feature))
        total = self._count(run, where)
        return RunMap(
            run=run,
            dimensions=dimensions,
            groups=groups,
            labels={member_word(row["cluster_id"]): row.get("label") for row in groups},
            total=total,
            drawn=min(most, total),
            members=lambda columns: self._drawn(run, most, where, columns),
        )

    def _count(self, run: ClusterRun, where: tuple[str, str] | None) -> int:
        stored = run.artifacts[MEMBERS]
        if where is None:
            return int(stored["rows"])
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            return self._tables.count(path, where=where)

    def _drawn(
        self, run: ClusterRun, most: int, where: tuple[str, str] | None, columns: Sequence[str]
    ) -> Iterator[Columns]:
        if most:
            stored = run.artifacts[MEMBERS]
            with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
                yield from self._tables.drawn(path, columns=columns, most=most, where=where)


def _dimensions(run: ClusterRun) -> int:
    found = run.effective["map"]["dimensions"]
    if found is None:
        message = "This execution made no map: its definition or its call left it out."
        raise ArtifactNotFound(message, detail={"run_id": run.run_id})
    return min(int(found), SOLID)


def _is_shown(row: JsonObject, feature: str | None) -> bool:
    word = str(row["cluster_id"])
    return feature is None or word == NOISE_CENTROID or word.startswith(f"{feature}:")
