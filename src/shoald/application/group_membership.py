"""Groups of runs as retrievals see them: a run and what is searched go in; the group of every item comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shoald.application.clusters import find_cluster
from shoald.application.kept_arrays import KeptArrays
from shoald.application.keyword_indexing import repository_of, set_id
from shoald.application.known_runs import KnownRun, KnownRuns
from shoald.application.map_requests import MapRequest, wrong_field
from shoald.application.run_artifacts import MEMBERS
from shoald.domain.failures import ClusterNotFound, ExecutionNotFound
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.retrieval.hits import Hits, Positions
from shoald.domain.retrieval.run_groups import ABSENT, NOISE, OUTSIDE, HitGroup, Numbers, RunGroups

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.keyword_indexing import AnySet
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.run_tables import RunTables
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.search_targets import SearchTarget


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRun:
    """The run whose map is meant, its groups, and the collection that what is searched became documents of."""

    run: ClusterRun
    groups: RunGroups
    collection_id: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchedMap:
    """A run's groups over the items that are searched: `numbers` (n,) says the group of each by its position.

    `wanted` are the numbers that hits may have, None for any; `most` is how many hits a group may have.
    """

    run: ClusterRun
    collection_id: str
    groups: RunGroups
    numbers: Numbers
    wanted: tuple[int, ...] | None = None
    most: int | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """What a result of a search holds for; the groups of a completed run never change, only their names."""
        return (self.run.run_id, self.collection_id, self.wanted, self.most)

    def described(self, hits: Hits) -> list[HitGroup]:
        """Return where each hit stands."""
        return [self.groups.described(number) for number in self.numbers[hits.searched].tolist()]

    def within(self, allowed: Positions | None) -> Positions | None:
        """Return those of the allowed positions (None: all) that are in a group that is wanted. O(n)."""
        if self.wanted is None:
            return allowed
        is_wanted = np.zeros(len(self.groups) + OUTSIDE, bool)  # read from the end by the numbers of no group
        is_wanted[list(self.wanted)] = True
        return np.flatnonzero(is_wanted[self.numbers]) if allowed is None else allowed[is_wanted[self.numbers[allowed]]]


class GroupMemberships:
    """Reads which item is in which group, once for each run and set, and keeps the last answers.

    Four bytes an item; the first question reads the ids of all items and two columns of the run's members.
    """

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore, tables: RunTables) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects
        self._tables = tables
        self._kept = KeptArrays()
        self._runs = KnownRuns()

    def chosen(self, uow: UnitOfWork, caller: Caller, asked: MapRequest, target: SearchTarget) -> ChosenRun:
        """Return the completed run that a request means; a key of projects knows those that read nothing else.

        Raises `ClusterNotFound`, `ExecutionNotFound`, and `InvalidFields` for a run that has not completed or that
        read other collections.
        """
        known = self._named(uow, caller, asked.run_id) if asked.run_id else self._newest(uow, caller, asked.cluster_id)
        if caller.project_ids and not _reads_only_theirs(uow, caller, known.run):
            raise _unknown(asked)
        for collection_id in _collections_of(uow, target):
            if collection_id in known.run.revisions:
                return ChosenRun(run=known.run, groups=known.groups, collection_id=collection_id)
        field = "run_id" if asked.run_id else "cluster_id"
        message = f"the execution {known.run.run_id} did not read a collection of an index of what is searched"
        raise wrong_field(field, message=message, value=getattr(asked, field))

    def _named(self, uow: UnitOfWork, caller: Caller, run_id: str) -> KnownRun:
        known = self._runs.get(uow, run_id)
        if known is None or known.run.namespace_id != caller.namespace_id:
            raise _unknown(MapRequest(run_id=run_id))
        if MEMBERS not in known.run.artifacts:
            raise wrong_field("run_id", message=f"the execution is {known.run.status}, not completed", value=run_id)
        return known

    def _newest(self, uow: UnitOfWork, caller: Caller, cluster: str | None) -> KnownRun:
        cluster_id = find_cluster(uow, caller, str(cluster)).cluster_id
        run_id = uow.cluster_runs.latest_completed_id(cluster_id)
        known = None if run_id is None else self._runs.get(uow, run_id)
        if known is None:
            raise wrong_field("cluster_id", message="no execution of this cluster has completed yet", value=cluster)
        return known

    def over(self, chosen: ChosenRun, items: AnySet, asked: MapRequest) -> SearchedMap:
        """Return a run's groups over the items of a set.

        Raises `InvalidFields` for groups that it does not have, and what the object store raises.
        """
        groups = chosen.groups
        key = f"{chosen.run.run_id}/{chosen.collection_id}/{set_id(items)}"
        return SearchedMap(
            run=chosen.run,
            collection_id=chosen.collection_id,
            groups=groups,
            numbers=self._kept.get(key, lambda: self._numbers(chosen, items, groups.ids)),
            wanted=wanted_groups(groups, asked),
            most=asked.max_per_group,
        )

    def _numbers(self, chosen: ChosenRun, items: AnySet, group_ids: Sequence[str]) -> Numbers:
        with self._open_unit_of_work(reading=True) as uow:
            item_ids = repository_of(uow, items).ids(set_id(items))
        stored = chosen.run.artifacts[MEMBERS]
        where = {"collection_id": chosen.collection_id}
        feature = next(iter(chosen.run.effective.get("features", ())), None)
        if feature is not None:
            where["feature"] = feature
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            words, codes = self._tables.words_of(path, "cluster_id", item_ids, where=where)
        known = {**{one: at for at, one in enumerate(group_ids)}, NOISE_MEMBER: NOISE, NOISE_CENTROID: NOISE}
        numbers = np.array([*(known.get(word, NOISE) for word in words), ABSENT], dtype=np.int32)
        return numbers[codes]  # an item that the run did not read has the code -1: the last


def _reads_only_theirs(uow: UnitOfWork, caller: Caller, run: ClusterRun) -> bool:
    """Say whether a run read collections of indexes of the caller's projects alone: names of groups tell of texts."""
    read = uow.collections.get_many(caller.namespace_id, list(run.revisions))
    indexes = [uow.indexes.get(one.index_id or "", namespace_id=caller.namespace_id) for one in read]
    theirs = sum(one is not None and one.project_id in caller.project_ids for one in indexes)
    return theirs == len(run.revisions)


def _unknown(asked: MapRequest) -> ExecutionNotFound | ClusterNotFound:
    if asked.run_id is None:
        return ClusterNotFound(f"There is no cluster {asked.cluster_id!r}.", detail={"cluster": asked.cluster_id})
    message = f"There is no execution {asked.run_id!r}."
    return ExecutionNotFound(message, detail={"field": "map.run_id", "run_id": asked.run_id})


def _collections_of(uow: UnitOfWork, target: SearchTarget) -> Sequence[str]:
    """Return the collections whose documents what is searched has become, the one that changed last first."""
    if target.index is not None:
        found = uow.collections.of_index(target.index.index_id)
        return [] if found is None else [found.collection_id]
    return uow.index_builds.collections_over(target.items_id)


def wanted_groups(groups: RunGroups, asked: MapRequest) -> tuple[int, ...] | None:
    """Return the numbers of all groups that are named and of those below them, None when none is named.

    Raises `InvalidFields` for one that the run does not have.
    """
    if not (asked.group_ids or asked.labels or asked.paths):
        return None
    numbers = {one: at for at, one in enumerate(groups.ids)} | {NOISE_MEMBER: NOISE, NOISE_CENTROID: NOISE}
    found: set[int] = set()
    for at, group_id in enumerate(asked.group_ids):
        if group_id not in numbers:
            raise wrong_field("group_ids", at, message="the execution has no group of this id", value=group_id)
        found.add(numbers[group_id])
    for at, label in enumerate(asked.labels):
        named = groups.named(label)
        if not named:
            raise wrong_field("labels", at, message="the execution has no group of this name", value=label)
        found |= named
    for at, path in enumerate(asked.paths):
        reached = groups.along(path)
        if not reached:
            raise wrong_field("paths", at, message="the execution has no group at the end of this path", value=[*path])
        found |= reached
    return tuple(sorted(groups.with_parts(found)))
