"""Stored retrievals: listed, read, deleted, asked once more, and compared with each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from shoald.application.projects import visible_project
from shoald.application.retrieving import Retrieving, request_of_params
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import ArtifactNotFound, RetrievalRunNotFound
from shoald.domain.json_types import JsonObject
from shoald.domain.records.retrieval_run import RetrievalRun
from shoald.domain.retrieval.comparison import Comparison, RankedHit, compare
from shoald.domain.vocabulary import ArtifactKind

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.lineage import Lineage
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.waiting import Patience


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """Two runs and how the page of `after` differs from that of `before`."""

    before: RetrievalRun
    after: RetrievalRun
    comparison: Comparison


class RetrievalRuns:
    """Reads, deletes, repeats and compares the stored retrievals of the caller's namespace."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, retrieving: Retrieving, lineage: Lineage) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._lineage = lineage
        self._retrieving = retrieving

    def list(self, caller: Caller, project_id: str, wanted: ListRange) -> Listed[RetrievalRun]:
        """Return the runs of a project, newest first; raises `ProjectNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            visible_project(uow, caller, project_id)
            listed = read_list(
                lambda offset, limit: uow.retrieval_runs.list(project_id, offset=offset, limit=limit), wanted
            )
            hidden = frozenset(uow.documents.hidden_in(project_id))
        return replace(listed, rows=[_without(hidden, run) for run in listed.rows])

    def get(self, caller: Caller, run_id: str) -> RetrievalRun:
        """Return a run; raises `RetrievalRunNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            return visible_run(uow, caller, run_id)

    def delete(self, caller: Caller, run_id: str) -> None:
        """Mark a run as deleted; raises `RetrievalRunNotFound`, also when it was before."""
        try:
            self._lineage.delete(caller, run_id, kind=ArtifactKind.RETRIEVAL_RUN)
        except ArtifactNotFound as error:
            raise RetrievalRunNotFound(detail={"run_id": run_id}) from error

    def repeat(self, caller: Caller, run_id: str, patience: Patience, *, target_id: str | None = None) -> ComparedRuns:
        """Ask what a run asked once more, store the answer as another run, and compare the two.

        A `target_id` searches there instead. Raises `RetrievalRunNotFound` and what `Retrieving.retrieve` raises.
        """
        before = self.get(caller, run_id)
        request = replace(request_of_params(before.params), persist=True)
        if target_id is not None:
            request = replace(request, target_id=target_id)
        page = self._retrieving.retrieve(caller, before.project_id, request, patience)
        return _compared(before, self.get(caller, str(page.run_id)))

    def compare(self, caller: Caller, run_id: str, other_run_id: str) -> ComparedRuns:
        """Compare two runs of one project; raises `RetrievalRunNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            before, after = visible_run(uow, caller, run_id), visible_run(uow, caller, other_run_id)
        if after.project_id != before.project_id:
            raise RetrievalRunNotFound(
                detail={"run_id": other_run_id}, hint="Both runs must be of one project; this one is of another."
            )
        return _compared(before, after)


def visible_run(uow: UnitOfWork, caller: Caller, run_id: str) -> RetrievalRun:
    """Return a run of the caller's namespace, without passages of deleted documents; raises `RetrievalRunNotFound`."""
    run = uow.retrieval_runs.get(run_id, namespace_id=caller.namespace_id)
    if run is None:
        raise RetrievalRunNotFound(detail={"run_id": run_id})
    return _without(frozenset(uow.documents.hidden_in(run.project_id)), run)


def _without(version_ids: frozenset[str], run: RetrievalRun) -> RetrievalRun:
    """Leave out what a run found of these versions: it may have searched a set that joins many."""
    if not version_ids:
        return run
    shown = [item for item in run.results["items"] if item["metadata"].get("document_version_id") not in version_ids]
    results = {**run.results, "items": shown}
    if "map" in results:
        results["map"] = {**results["map"], "groups": _groups_left(results["map"]["groups"], shown)}
    return replace(run, results=results)


def _groups_left(groups: Sequence[JsonObject], shown: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the groups of a page with the places and counts of the items that are still shown."""
    left: list[JsonObject] = []
    first = 0
    for group in groups:
        count = sum(item["group"] == group["group"] for item in shown)
        if count:
            left.append({**group, "first": first, "count": count})
            first += count
    return left


def _compared(before: RetrievalRun, after: RetrievalRun) -> ComparedRuns:
    return ComparedRuns(before=before, after=after, comparison=compare(_ranked(before), _ranked(after)))


def _ranked(run: RetrievalRun) -> Sequence[RankedHit]:
    return [_hit(rank, item) for rank, item in enumerate(run.results["items"], start=1)]


def _hit(rank: int, item: Any) -> RankedHit:
    return RankedHit(item_id=item["metadata"]["item_id"], text=item["page_content"], rank=rank, score=item.get("score"))
