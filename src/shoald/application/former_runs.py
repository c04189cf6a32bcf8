"""A completed run and the documents of another go in; where these stood in it, its groups and its map, come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.run_artifacts import CENTROIDS, COMPONENTS, MEMBERS
from shoald.application.sparse_reduction import Components, components_in
from shoald.domain.clustering.group_tree import ROOT, GroupTree
from shoald.domain.clustering.lineage import FormerGroups, first_numbers
from shoald.domain.clustering.spaces import Floats, Integers
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_CENTROID, ClusterRun

_AXES = ("x", "y", "z")
_ABSENT = -2
_SIMILARITY, _COSINE = "cosine_similarity_to_centroid", "raw_cosine_to_centroid"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunMembers:
    """The members of a run: id, collection and group of each, and their places on its map ((m, 2 or 3), or None).

    `similarities` are max(0, cosine) to the own centroid, `cosines` the same as they are; NaN for those in no group.
    """

    ids: npt.NDArray[np.bytes_]
    collection_ids: npt.NDArray[Any]
    groups: npt.NDArray[Any]
    similarities: Floats
    cosines: Floats
    coordinates: Floats | None
    features: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FormerRun:
    """A run, and for each row of another input the place of its document among `members`, -1 where there is none.

    `prefix` is what the ids of one feature's groups began with, and is left out of `rows` and `members`.
    """

    run: ClusterRun
    members: RunMembers
    at: Integers
    rows: tuple[JsonObject, ...]
    centroids: Floats
    prefix: str = ""

    def groups(self) -> FormerGroups:
        """Return its groups over the rows of the other input."""
        numbers = {row["cluster_id"]: at for at, row in enumerate(self.rows)}
        parents = [numbers.get(row.get("parent_cluster_id") or "", ROOT) for row in self.rows]
        member_groups = np.array([numbers.get(word, ROOT) for word in self.members.groups], dtype=np.int32)
        labels = np.where(self.at >= 0, _taken(member_groups, self.at, _ABSENT), ROOT).astype(np.int32)
        tree = GroupTree(
            ids=tuple(row["cluster_id"] for row in self.rows),
            parents=np.array(parents, dtype=np.int64),
            labels=labels,
        )
        kept: Mapping[str, int] = (self.run.effective.get("identity") or {}).get("next_numbers") or {}
        if self.prefix:
            kept = {key.removeprefix(self.prefix): one for key, one in kept.items() if key.startswith(self.prefix)}
        return FormerGroups(
            tree=tree,
            was_there=self.at >= 0,
            sizes=np.array([row["num_members"] for row in self.rows], dtype=np.int64),
            centroids=self.centroids,
            next_numbers=dict(kept) or first_numbers(tree),
        )

    def places(self, dimensions: int) -> Floats | None:
        """Return the (n, dimensions) former places, NaN for rows that had none; None without a map of so many."""
        known = self.members.coordinates
        if known is None or known.shape[1] != dimensions:
            return None
        found = np.full((len(self.at), dimensions), np.nan, dtype=np.float32)
        there = self.at >= 0
        found[there] = known[self.at[there]]
        return found


class FormerRuns:
    """Reads completed runs."""

    def __init__(self, *, objects: ObjectStore, tables: RunTables) -> None:
        self._objects = objects
        self._tables = tables

    def members(self, run: ClusterRun) -> RunMembers:
        """Read all members of a run."""
        stored = run.artifacts[MEMBERS]
        columns = ["point_id", "collection_id", "cluster_id", "feature", _SIMILARITY, _COSINE, *_AXES]
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            batches = list(self._tables.read(path, columns=columns, batch_rows=65_536))
        texts = {name: [one for batch in batches for one in batch.get(name, ())] for name in columns[:4]}
        numbers = {name: _numbers(batches, name) for name in columns[4:]}
        return RunMembers(
            ids=np.array([one.encode() for one in texts["point_id"]], dtype=np.bytes_),
            collection_ids=np.array(texts["collection_id"], dtype=object),
            groups=np.array(texts["cluster_id"], dtype=object),
            similarities=numbers[_SIMILARITY],
            cosines=numbers[_COSINE],
            coordinates=_coordinates(numbers),
            features=np.array(texts["feature"] or [None] * len(texts["point_id"]), dtype=object),
        )

    def centroids(self, run: ClusterRun) -> dict[str, Floats]:
        """Read the vector of each group."""
        stored = run.artifacts[CENTROIDS]
        found: dict[str, Floats] = {}
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            for batch in self._tables.read(path, columns=["cluster_id", "centroid_vector"]):
                pairs = zip(batch["cluster_id"], batch["centroid_vector"], strict=True)
                found.update({group: np.asarray(vector) for group, vector in pairs if vector is not None})
        return found

    def components(self, run: ClusterRun) -> dict[str, Components]:
        """Read what the sparse features of a run were reduced to, by feature; none where it had no such."""
        if COMPONENTS not in run.artifacts:
            return {}
        stored = run.artifacts[COMPONENTS]
        found: dict[str, list[Any]] = {}
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            for batch in self._tables.read(path):
                for name, values in batch.items():
                    found.setdefault(name, []).extend(values)
        return components_in(found)

    def over(
        self,
        run: ClusterRun,
        ids: npt.NDArray[np.bytes_],
        collection_ids: Sequence[str],
        places: npt.NDArray[np.int32],
        *,
        feature: str | None = None,
    ) -> FormerRun:
        """Return a run as it is seen from other rows: `collection_ids[places[i]]` and `ids[i]` name row i.

        `feature` asks for the groups of one feature of a run that grouped by each of them.
        """
        prefix = "" if feature is None else f"{feature}:"
        members = _of_feature(self.members(run), feature, prefix)
        at = np.full(len(ids), -1, dtype=np.int64)
        for place, collection_id in enumerate(collection_ids):
            mine = np.flatnonzero(places == place)
            theirs = np.flatnonzero(members.collection_ids == collection_id)
            _, here, there = np.intersect1d(ids[mine], members.ids[theirs], assume_unique=True, return_indices=True)
            at[mine[here]] = theirs[there]
        known = self.centroids(run)
        vectors = {group.removeprefix(prefix): one for group, one in known.items() if group.startswith(prefix)}
        rows = [_bare(row, prefix) for row in run.centroids if _is_group(row, prefix)]
        rows.sort(key=lambda row: int(row["hierarchy_level"]))
        width = len(next(iter(vectors.values()))) if vectors else 0
        empty = np.zeros(width, dtype=np.float32)
        centroids = [vectors.get(row["cluster_id"], empty) for row in rows]
        return FormerRun(
            run=run,
            members=members,
            at=at,
            rows=tuple(rows),
            centroids=np.array(centroids, dtype=np.float32).reshape(len(rows), width),
            prefix=prefix,
        )


def _is_group(row: JsonObject, prefix: str) -> bool:
    return row["cluster_id"] != NOISE_CENTROID and str(row["cluster_id"]).startswith(prefix)


def _bare(row: JsonObject, prefix: str) -> JsonObject:
    """Return a group without the name of its feature in its ids."""
    words = {word: (row.get(word) or "").removeprefix(prefix) or None for word in ("cluster_id", "parent_cluster_id")}
    return {**row, **words}


def _of_feature(members: RunMembers, feature: str | None, prefix: str) -> RunMembers:
    """Keep the members of one feature; a run that did not group by features has none of them."""
    if feature is None:
        return members
    mine = np.flatnonzero(members.features == feature)
    return RunMembers(
        ids=members.ids[mine],
        collection_ids=members.collection_ids[mine],
        groups=np.array([str(one).removeprefix(prefix) for one in members.groups[mine]], dtype=object),
        similarities=members.similarities[mine],
        cosines=members.cosines[mine],
        coordinates=None if members.coordinates is None else members.coordinates[mine],
        features=members.features[mine],
    )


def _taken(values: npt.NDArray[np.int32], at: Integers, absent: int) -> npt.NDArray[np.int32]:
    """Return values at places; -1 reads the value that stands for absence."""
    return np.append(values, np.int32(absent))[at]


def _numbers(batches: Sequence[Mapping[str, Any]], name: str) -> Floats:
    read = [np.array(batch[name], dtype=np.float32) for batch in batches if name in batch]
    return np.concatenate(read) if read else np.empty(0, dtype=np.float32)


def _coordinates(numbers: Mapping[str, Floats]) -> Floats | None:
    axes = [numbers[axis] for axis in _AXES if len(numbers[axis]) and not np.isnan(numbers[axis]).all()]
    return np.stack(axes, axis=1) if len(axes) > 1 else None
