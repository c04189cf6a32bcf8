"""Completed runs go in; their groups of the first level, and their documents, each once, come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.application.composite_choice import first_level
from shoald.application.former_runs import FormerRuns, RunMembers
from shoald.domain.clustering.group_tree import ROOT
from shoald.domain.clustering.spaces import Doubles, Floats, Integers
from shoald.domain.failures import ArtifactNotFound
from shoald.domain.records.cluster import ClusterRun

_SOLID = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """One run: its members, and its groups of the first level: ids, centroids (k, d), sizes and cohesions (k,).

    `first_level` maps each group of any level to the number, among those of the first, that it lies in.
    """

    run: ClusterRun
    members: RunMembers
    words: tuple[str, ...]
    centroids: Floats
    sizes: Doubles
    cohesion: Doubles
    first_level: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceMembers:
    """The documents of all sources, each once: ids, places of their collections, the number of the group (over all
    sources; -1 for none), the similarity to it (NaN for none), the place on the run's map ((n, 3), NaN where there is
    none), and the run and the group that they come from.
    """

    ids: npt.NDArray[np.bytes_]
    places: npt.NDArray[np.int32]
    numbers: Integers
    similarities: Floats
    coordinates: Floats
    run_ids: npt.NDArray[np.object_]
    groups: npt.NDArray[np.object_]
    warnings: tuple[str, ...] = ()


def read_source(run: ClusterRun, former_runs: FormerRuns) -> Source:
    """Read the groups of a run that have centroids, and its members."""
    vectors = former_runs.centroids(run)
    rows = [row for row in first_level(run) if row["cluster_id"] in vectors]
    if not rows:
        raise ArtifactNotFound("The execution has no groups with centroids.", detail={"run_id": run.run_id})
    words = tuple(str(row["cluster_id"]) for row in rows)
    return Source(
        run=run,
        members=former_runs.members(run),
        words=words,
        centroids=np.array([vectors[word] for word in words], dtype=np.float32),
        sizes=np.array([row["num_members"] for row in rows], dtype=np.float64),
        cohesion=np.array([row.get("mean_cosine_similarity") or 0.0 for row in rows], dtype=np.float64),
        first_level=_first_levels(run, words),
    )


def _first_levels(run: ClusterRun, words: Sequence[str]) -> dict[str, int]:
    """Return the group of the first level that each group lies in."""
    numbers = {word: at for at, word in enumerate(words)}
    parents = {str(row["cluster_id"]): row.get("parent_cluster_id") for row in run.centroids}
    found = {}
    for word in parents:
        top: str = word
        while (above := parents.get(top)) is not None:
            top = str(above)
        if top in numbers:
            found[word] = numbers[top]
    return found


def joined_members(sources: Sequence[Source], collection_ids: Sequence[str]) -> SourceMembers:
    """Return the documents of all sources in the order of collection and id.

    A document that several of them hold counts once: where it is nearest to its centroid, and if that is equal in the
    earlier source. Documents of collections that are gone are left out.
    """
    whole = _stacked(sources, collection_ids)
    kept = np.flatnonzero(whole.places >= 0)
    nearness = np.where(whole.numbers[kept] >= 0, np.nan_to_num(whole.similarities[kept]), -1.0)
    order = kept[np.lexsort((kept, -nearness, whole.ids[kept], whole.places[kept]))]
    ids, places = whole.ids[order], whole.places[order]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = (ids[1:] != ids[:-1]) | (places[1:] != places[:-1])
    chosen = order[is_first]
    return SourceMembers(
        ids=whole.ids[chosen],
        places=whole.places[chosen],
        numbers=whole.numbers[chosen],
        similarities=whole.similarities[chosen],
        coordinates=whole.coordinates[chosen],
        run_ids=whole.run_ids[chosen],
        groups=whole.groups[chosen],
        warnings=_said(len(whole.ids) - len(kept), len(order) - len(chosen)),
    )


def _stacked(sources: Sequence[Source], collection_ids: Sequence[str]) -> SourceMembers:
    """Put the members of all sources one after another; -1 is the place of a collection that is gone."""
    at = {one: place for place, one in enumerate(collection_ids)}
    starts = np.cumsum([0, *(len(one.words) for one in sources)])
    numbers = [
        [start + group if (group := one.first_level.get(word, ROOT)) != ROOT else ROOT for word in one.members.groups]
        for one, start in zip(sources, starts.tolist(), strict=False)
    ]
    return SourceMembers(
        ids=np.concatenate([one.members.ids for one in sources]),
        places=np.array([at.get(name, -1) for one in sources for name in one.members.collection_ids], dtype=np.int32),
        numbers=np.array([number for part in numbers for number in part], dtype=np.int64),
        similarities=np.concatenate([one.members.similarities for one in sources]),
        coordinates=np.concatenate([_solid(one.members) for one in sources]),
        run_ids=np.repeat(
            np.array([one.run.run_id for one in sources], dtype=object), [len(one.members.ids) for one in sources]
        ),
        groups=np.concatenate([one.members.groups for one in sources]),
    )


def _solid(members: RunMembers) -> Floats:
    """Return (n, 3) places on the run's map, NaN where it has none."""
    found = np.full((len(members.ids), _SOLID), np.nan, dtype=np.float32)
    if members.coordinates is not None:
        found[:, : members.coordinates.shape[1]] = members.coordinates
    return found


def _said(gone: int, shared: int) -> tuple[str, ...]:
    said = []
    if gone:
        said.append(f"{gone} documents were left out: their collections are gone")
    if shared:
        said.append(f"{shared} documents were in more than one source; each counts where it is nearest to its centroid")
    return tuple(said)
