"""Runs that repeat another: its vectors, parameters and seeds go in; the same labels, or the difference, come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoald.application.cluster_definitions import ClusterSpec, read_spec
from shoald.application.cluster_inputs import ClusterInputs, Pins
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work
from shoald.application.former_runs import FormerRuns
from shoald.application.memory_promises import MemoryPromises
from shoald.application.ports.unit_of_work import OpenUnitOfWork
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
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> ClusterResult:
        """Do a run again on the vectors that it read, and compare."""
        first = self.original(work.run.overrides[REPLAY_OF])
        again = replace(work, spec=repeated_spec(first), repeats=first)
        members = self.former_runs.members(first)
        pins = Pins.of(first.effective["input"], members.ids, members.collection_ids)
        step = again.stage("snapshot", "looking for the vectors that the run read")
        found = [one for one in collections if one.collection_id in pins.ids]
        given = self.inputs.read(found, again.spec, step, pins=pins)
        again = self.memory.promised(again, self.vectors.planned(again, given, former=2 * first.num_points))
        result = self.vectors.grouped(again, given)
        comparison = self._compared(first, result)
        return replace(result, effective={**result.effective, "replay": comparison})

    def original(self, run_id: str) -> ClusterRun:
        """Return the run that is repeated; raises `ExecutionNotFound` when it has been deleted."""
        with self.open_unit_of_work() as uow:
            first = uow.cluster_runs.get(run_id)
        if first is None:
            raise ExecutionNotFound(f"There is no execution {run_id!r} any more.", detail={"run_id": run_id})
        return first

    def _compared(self, first: ClusterRun, result: ClusterResult) -> JsonObject:
        given = result.given
        ids = [one.collection_id for one in given.collections]
        former = self.former_runs.over(first, given.ids, ids, given.places)
        shared = former.at >= 0
        before = former.members.groups[former.at[shared]]
        after = np.array([*result.tree.ids, NOISE_MEMBER], dtype=object)[result.tree.labels[shared]]
        same = agreement(before, after)
        return {
            "of": first.run_id,
            "same_labels": same.differing == 0,
            "documents": int(shared.sum()),
            "differing": same.differing,
            "adjusted_rand_index": same.adjusted_rand_index,
            "examples": [
                {"document_id": given.ids[row].decode(), "was": str(was), "is": str(now)}
                for row, was, now in _examples(np.flatnonzero(shared), before, after)
            ],
        }


def _examples(rows: Any, before: Any, after: Any) -> list[tuple[int, str, str]]:
    different = np.flatnonzero(before != after)[:10]
    return [(int(rows[at]), before[at], after[at]) for at in different.tolist()]


def repeated_spec(first: ClusterRun) -> ClusterSpec:
    """Return what a run did, with the seed that it drew if it drew one."""
    request: Any = first.effective["request"]
    changes = {key: value for key, value in request["overrides"].items() if key != REPLAY_OF}
    spec = read_spec(request["definition"], changes)
    drawn = first.effective["algorithm_params"].get("random_state")
    if getattr(spec.algorithm, "random_state", 0) is None and drawn is not None:
        spec = replace(spec, algorithm=replace(spec.algorithm, random_state=drawn))
    return spec
