"""What people say of runs: a name for a run, names for its groups. Both are read with the run, and change no result."""

from __future__ import annotations

from collections.abc import Mapping

from shoald.application.access import Caller
from shoald.application.executions import find_run
from shoald.application.jobs import Jobs
from shoald.application.output_collections import accept_relabeling
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.failures import ArtifactNotFound, InvalidFields
from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun
from shoald.domain.vocabulary import ExecutionStatus


class RunMarks:
    """The names that people give to the caller's runs."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._jobs = jobs

    def rename(self, caller: Caller, cluster: str, run_id: str, name: str) -> ClusterRun:
        """Call a run by a name, without outer spaces, and return it; an empty one takes the name away.

        Raises `ClusterNotFound` or `ExecutionNotFound`.
        """
        with self._open_unit_of_work() as uow:
            find_run(uow, caller, cluster, run_id)
            uow.cluster_runs.rename(run_id, name.strip() or None)
            renamed = find_run(uow, caller, cluster, run_id)
            uow.commit()
        return renamed

    def relabel(self, caller: Caller, cluster: str, run_id: str, labels: Mapping[str, str]) -> ClusterRun:
        """Call groups of a completed run by other names, without outer spaces, and return the run.

        An empty name brings back the group's own; groups that are not mentioned keep theirs. The output collection
        follows by a job, if it still holds this run. Raises `ClusterNotFound`,
        `ExecutionNotFound`, `ArtifactNotFound` while the run has not completed, and `InvalidFields` for a group that
        the run does not have.
        """
        asked = {_group_word(word): name.strip() for word, name in labels.items()}
        with self._open_unit_of_work() as uow:
            run = find_run(uow, caller, cluster, run_id)
            if run.status != ExecutionStatus.COMPLETED:
                message = f"The execution is {run.status}; its groups can be named once it has completed."
                raise ArtifactNotFound(message, detail={"run_id": run_id, "status": run.status})
            _require_groups(run, asked)
            names = {word: name for word, name in asked.items() if name}
            uow.cluster_runs.relabel(run_id, names, [word for word, name in asked.items() if not name])
            relabeled = find_run(uow, caller, cluster, run_id)
            job = accept_relabeling(uow, self._jobs, relabeled)
            uow.commit()
        if job is not None:
            self._jobs.dispatch(job)
        return relabeled


def _group_word(word: str) -> str:
    """Return the id under which groups are listed: noise may be asked for by what its members carry."""
    return NOISE_CENTROID if word == NOISE_MEMBER else word


def _require_groups(run: ClusterRun, asked: Mapping[str, str]) -> None:
    known = {row["cluster_id"] for row in run.centroids}
    for word, name in asked.items():
        if name and word not in known:
            message = f"this run has no group {word!r}"
            raise InvalidFields.field("body", "labels", word, message=message, value=name)
