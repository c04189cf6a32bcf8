"""Runs that repeat another: its vectors, parameters and seeds go in; the same labels, or the difference, come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.cluster_definitions import ClusterSpec, read_spec
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs, Pins
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work
from shoald.application.former_runs import FormerRuns, RunMembers
from shoald.application.independent_runs import IndependentRuns, by_feature, is_independent
from shoald.application.memory_promises import MemoryPromises
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.several_results import SeveralResults
from shoald.application.vector_runs import VectorRuns
from shoald.domain.clustering.agreement import agreement
from shoald.domain.failures import ExecutionNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import NOISE_MEMBER, REPLAY_OF, ClusterRun
from shoald.domain.records.collection import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRuns:
    """Does runs again; nothing that the first one kept is used."""

    open_unit_of_work: OpenUnitOfWork
    inputs: ClusterInputs
    former_runs: FormerRuns
    vectors: VectorRuns
    independent: IndependentRuns
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> ClusterResult | SeveralResults:
        """Do a run again on the vectors that it read, and compare."""
        first = self.original(work.run.overrides[REPLAY_OF])
        members = self.former_runs.members(first)
        spec = asked_spec(first)
        again = replace(work, spec=spec, repeats=first)
        if is_independent(spec):
            return self._several(again, first, members, collections)
        again = replace(again, spec=with_seed(spec, first.effective))
        given = self._read(again, first, members, collections)
        again = self.memory.promised(again, self.vectors.planned(again, given, former=first.num_points))
        result = self.vectors.grouped(again, given)
        return replace(result, effective={**result.effective, "replay": self._compared(first, [(None, result)])})

    def _several(
        self, again: Work, first: ClusterRun, members: RunMembers, collections: Sequence[Collection]
    ) -> SeveralResults:
        """Do each feature again, with the seed that it drew."""
        works = {
            one: replace(work, spec=with_seed(work.spec, first.effective["features"][one]))
            for one, work in by_feature(again).items()
        }
        given = {one: self._read(work, first, members, collections) for one, work in works.items()}
        result = self.independent.grouped(works, given, former=first.num_points)
        return replace(result, more={"replay": self._compared(first, list(result.parts.items()))})

    def _read(
        self, work: Work, first: ClusterRun, members: RunMembers, collections: Sequence[Collection]
    ) -> ClusterInput:
        """Read what the run read, of one feature where each is grouped by itself."""
        mine = slice(None) if work.feature is None else np.flatnonzero(members.features == work.feature)
        pins = Pins.of(first.effective["input"], members.ids[mine], members.collection_ids[mine])
        found = [one for one in collections if one.collection_id in pins.ids]
        step = work.stage("snapshot", "looking for the vectors that the run read")
        return self.inputs.read(found, work.spec, step, pins=pins)

    def original(self, run_id: str) -> ClusterRun:
        """Return the run that is repeated; raises `ExecutionNotFound` when it has been deleted."""
        with self.open_unit_of_work() as uow:
            first = uow.cluster_runs.get(run_id)
        if first is None:
            raise ExecutionNotFound(f"There is no execution {run_id!r} any more.", detail={"run_id": run_id})
        return first

    def _compared(self, first: ClusterRun, results: Sequence[tuple[str | None, ClusterResult]]) -> JsonObject:
        """Compare the groups of all features at once, each document with itself."""
        found = [self._labels(first, result, feature) for feature, result in results]
        ids, before, after = (np.concatenate(parts) for parts in zip(*found, strict=True))
        same = agreement(before, after)
        return {
            "of": first.run_id,
            "same_labels": same.differing == 0,
            "documents": len(ids),
            "differing": same.differing,
            "adjusted_rand_index": same.adjusted_rand_index,
            "examples": [
                {"document_id": ids[row].decode(), "was": str(before[row]), "is": str(after[row])}
                for row in np.flatnonzero(before != after)[:10].tolist()
            ],
        }

    def _labels(
        self, first: ClusterRun, result: ClusterResult, feature: str | None
    ) -> tuple[npt.NDArray[np.bytes_], npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the documents that both runs have, and the groups that they had and have."""
        given = result.given
        ids = [one.collection_id for one in given.collections]
        former = self.former_runs.over(first, given.ids, ids, given.places, feature=feature)
        shared = former.at >= 0
        before = former.members.groups[former.at[shared]]
        after = np.array([*result.tree.ids, NOISE_MEMBER], dtype=object)[result.tree.labels[shared]]
        return given.ids[shared], _under(feature, before), _under(feature, after)


def _under(feature: str | None, groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return groups under the name of their feature, by which those of two features are told apart."""
    return groups if feature is None else np.array([f"{feature}:{one}" for one in groups.tolist()], dtype=object)


def asked_spec(first: ClusterRun) -> ClusterSpec:
    """Return what was asked of a run."""
    request: Any = first.effective["request"]
    changes = {key: value for key, value in request["overrides"].items() if key != REPLAY_OF}
    return read_spec(request["definition"], changes)


def with_seed(spec: ClusterSpec, effective: JsonObject) -> ClusterSpec:
    """Return what was asked for with the seed that was drawn, if one was."""
    drawn = effective["algorithm_params"].get("random_state")
    if getattr(spec.algorithm, "random_state", 0) is None and drawn is not None:
        spec = replace(spec, algorithm=replace(spec.algorithm, random_state=drawn))
    return spec
