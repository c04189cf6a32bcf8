"""What names by a language model would cost: a run, or a number of groups, goes in; no model is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from shoald.application.access import Caller
from shoald.application.cluster_definitions import labeling_of
from shoald.application.clusters import find_cluster
from shoald.application.executions import find_run
from shoald.application.former_runs import FormerRuns
from shoald.application.label_budget import LabelBudgets, kind_of
from shoald.application.label_estimates import estimate_of
from shoald.application.listing import Selection
from shoald.application.model_labels import GroupToName, LabelRun, ModelLabels, NamedGroup
from shoald.application.ports.label_ledger import Spend
from shoald.application.ports.language_model import ModelFailure
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.run_labels import groups_to_name, require_model
from shoald.domain.failures import ArtifactNotFound, InvalidFields, MissingDependency
from shoald.domain.json_types import JsonObject
from shoald.domain.labelling.label_plan import label_plan
from shoald.domain.labelling.prompts import LabelPrompt
from shoald.domain.records.cluster import NOISE_CENTROID, Cluster, ClusterRun
from shoald.domain.vocabulary import ExecutionStatus

MOST_LOOKED_AT = 200
"""Groups whose questions are written; of more, so many at equal steps by their size stand for all."""

_MOST_MEMBERS_READ = 200_000
"""Documents of a run whose groups are looked up; of larger ones the few that the run shows of each group are taken."""

_USUAL_SIMILARITY = 0.75
"""Mean cosine to the centroid that is assumed of groups that are still to come."""

_NOBODY = NamedGroup(label="", keywords=())


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelForecast:
    """What names would cost. `run_id` is None where groups were assumed; `is_exact` says that each question was written
    as it would be asked. `refusal` says which budget that would pass, if any.
    """

    cluster_id: str
    run_id: str | None
    provider: str
    model: str
    groups: int
    cached: int
    spend: Spend
    currency: str
    is_exact: bool
    refusal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """The groups that are looked at, of how many in all, and whether they are shown as a run would show them."""

    shown: Sequence[GroupToName]
    total: int
    run_id: str | None = None
    are_own: bool = False


class LabelForecasts:
    """Says what the names of the caller's groups would cost."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        former_runs: FormerRuns,
        models: ModelLabels,
        budgets: LabelBudgets,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._former_runs = former_runs
        self._models = models
        self._budgets = budgets

    def forecast(
        self,
        caller: Caller,
        cluster: str,
        *,
        run_id: str | None = None,
        groups: int | None = None,
        labeling: JsonObject | None = None,
    ) -> LabelForecast:
        """Return what it would cost to name the groups of a run, or so many of the next one.

        Raises `ClusterNotFound`, `ExecutionNotFound`, `ArtifactNotFound` while the run has not completed,
        `MissingDependency` where no model is configured, and `InvalidFields` where nothing says how many groups there
        are, or both do, and where nobody asks for names by a model.
        """
        if run_id is not None and groups is not None:
            message = "does not apply beside run_id: the run says how many groups there are"
            raise InvalidFields.field("body", "groups", message=message, value=groups)
        with self._open_unit_of_work() as uow:
            definition = find_cluster(uow, caller, cluster)
            run = find_run(uow, caller, cluster, run_id) if run_id is not None else None
            if run is None and groups is None:
                run = uow.cluster_runs.latest_completed(definition.cluster_id)
        if run is not None:
            _require_completed(run)
        asked = labeling_of(labeling) or definition.definition.get("llm_labeling") or {}
        require_model(asked)
        found = self._assumed(caller, definition, groups, asked) if run is None else self._of_run(run, asked)
        return self._priced(definition, found, asked)

    def _of_run(self, run: ClusterRun, labeling: JsonObject) -> _Groups:
        rows = [row for row in run.centroids if row["cluster_id"] != NOISE_CENTROID]
        looked_at = _at_equal_steps(sorted(rows, key=lambda row: (-row["num_members"], row["cluster_id"])))
        if run.num_points <= _MOST_MEMBERS_READ:
            ids = [row["cluster_id"] for row in looked_at]
            shown = list(groups_to_name(self._former_runs, run, labeling, ids)) if ids else []
        else:
            shown = list(_by_what_is_shown(looked_at, labeling))
        are_own = len(looked_at) == len(rows) and run.num_points <= _MOST_MEMBERS_READ
        return _Groups(shown=shown, total=len(rows), run_id=run.run_id, are_own=are_own)

    def _assumed(self, caller: Caller, cluster: Cluster, groups: int | None, labeling: JsonObject) -> _Groups:
        """Let the first documents of the collections stand for those of groups, which are all of a size."""
        many = groups or _asked_for(cluster)
        if many is None:
            message = "say how many groups are expected: the cluster has no completed execution, nor n_clusters"
            raise InvalidFields.field("body", "groups", message=message, kind="missing")
        documents, total = self._some_documents(caller, cluster)
        size = max(1, total // many)
        wanted = label_plan(labeling).shown_of(size, _USUAL_SIMILARITY)
        shown = [
            GroupToName(
                cluster_id=f"cl_{at}", size=size, documents=tuple(_turned(documents, at, wanted)), fallback=_NOBODY
            )
            for at in range(min(many, MOST_LOOKED_AT))
        ]
        return _Groups(shown=shown, total=many)

    def _some_documents(self, caller: Caller, cluster: Cluster) -> tuple[list[tuple[str, str]], int]:
        """Return the ids of some documents of each collection, with these, and how many documents there are."""
        found: list[tuple[str, str]] = []
        total = 0
        with self._open_unit_of_work() as uow:
            collections = uow.collections.get_many(caller.namespace_id, list(cluster.collection_ids))
            for collection in collections:
                total += collection.document_count
                some = uow.collections.documents([collection.collection_id], Selection(limit=MOST_LOOKED_AT))
                found += [(collection.collection_id, one.document_id) for one in some]
        return found, total

    def _priced(self, cluster: Cluster, found: _Groups, labeling: JsonObject) -> LabelForecast:
        run = LabelRun(namespace_id=cluster.namespace_id, run_id="", labeling=labeling)
        try:
            prompts = self._models.prompts(run, found.shown)
        except ModelFailure as failure:
            raise MissingDependency(f"{failure.message[:1].upper()}{failure.message[1:]}.") from failure
        plan = label_plan(labeling)
        provider, model = (
            (prompts[0].provider, prompts[0].model) if prompts else (plan.provider or "", plan.model or "")
        )
        budget = self._budgets.open(
            namespace_id=cluster.namespace_id, run_id="", model=model, kind=_kind(prompts), labeling=labeling
        )
        # groups that are assumed are not equal, though a few documents stand for all of theirs
        hashes = [one.content_hash if found.run_id else str(at) for at, one in enumerate(prompts)]
        expected = budget.expected({known: estimate_of(one) for known, one in zip(hashes, prompts, strict=True)})
        times = found.total / len(found.shown) if found.shown else 1.0
        spend = _times(expected.spend, times)
        return LabelForecast(
            cluster_id=cluster.cluster_id,
            run_id=found.run_id,
            provider=provider,
            model=model,
            groups=found.total,
            cached=round(expected.cached * times),
            spend=spend,
            currency=self._budgets.currency,
            is_exact=found.are_own,
            refusal=budget.refusal_of(spend),
        )


def _require_completed(run: ClusterRun) -> None:
    if run.status != ExecutionStatus.COMPLETED:
        message = f"The execution is {run.status}; its groups can be looked at once it has completed."
        raise ArtifactNotFound(message, detail={"run_id": run.run_id, "status": run.status})


def _kind(prompts: Sequence[LabelPrompt]) -> str:
    return kind_of(prompts[0].json_schema, prompts[0].max_output_tokens) if prompts else ""


def _times(spend: Spend, times: float) -> Spend:
    counts = {
        name: round(getattr(spend, name) * times) for name in ("questions", "calls", "input_tokens", "output_tokens")
    }
    return replace(spend, **counts, money=spend.money * Decimal(times))


def _at_equal_steps(rows: Sequence[Any]) -> list[Any]:
    if len(rows) <= MOST_LOOKED_AT:
        return list(rows)
    return [rows[at * len(rows) // MOST_LOOKED_AT] for at in range(MOST_LOOKED_AT)]


def _by_what_is_shown(rows: Sequence[JsonObject], labeling: JsonObject) -> Iterator[GroupToName]:
    """Yield groups with the documents that the run shows of them, again and again until there are as many as wanted."""
    plan = label_plan(labeling)
    for row in rows:
        known = [(one["collection_id"], one["document_id"]) for one in row["representative_ids"]]
        wanted = plan.shown_of(row["num_members"], row["mean_cosine_similarity"])
        shown = tuple(_turned(known, 0, wanted))
        yield GroupToName(cluster_id=row["cluster_id"], size=row["num_members"], documents=shown, fallback=_NOBODY)


def _turned(documents: Sequence[tuple[str, str]], start: int, wanted: int) -> Iterator[tuple[str, str]]:
    if documents:
        yield from (documents[(start * wanted + at) % len(documents)] for at in range(wanted))


def _asked_for(cluster: Cluster) -> int | None:
    vector: JsonObject = cluster.definition.get("vector_config") or {}
    asked = (vector.get("algorithm_params") or {}).get("n_clusters")
    return int(asked) if isinstance(asked, int | float) and asked >= 1 else None
