"""A run's shape goes in; what it will take of memory is stated, kept to, or a reason to refuse, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shoald.application.cluster_definitions import ClusterSpec
from shoald.application.cluster_inputs import ClusterInput
from shoald.application.cluster_work import Work
from shoald.application.feature_weighing import MOST_ROWS
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.clustering.memory import MemoryPlan, RunAsked, RunShape, planned
from shoald.domain.clustering.parameters import PreprocessingStep
from shoald.domain.failures import TooLarge
from shoald.domain.json_types import JsonObject

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPromises:
    """States peaks and refuses what exceeds the setting; `limit_mib` 0 is no limit."""

    open_unit_of_work: OpenUnitOfWork
    limit_mib: int = 0

    @property
    def limit(self) -> int | None:
        """The bytes that a run may take; None for any number."""
        return self.limit_mib * MIB if self.limit_mib else None

    def planned(self, spec: ClusterSpec, steps: Sequence[PreprocessingStep], shape: RunShape) -> MemoryPlan:
        """Return what a run over vectors takes, by the cheapest ways that there are where the setting asks for them."""
        return planned(shape, _asked(spec, steps, shape.rows), limit=self.limit)

    def promised(self, work: Work, plan: MemoryPlan) -> Work:
        """Return the work with its promise, which the run shows from now on.

        Raises `TooLarge` with the numbers when the run would take more than it may.
        """
        work = self.kept_to(work, plan)
        with self.open_unit_of_work() as uow:
            uow.cluster_runs.note(work.run.run_id, {"memory": work.memory})
            uow.commit()
        return work

    def kept_to(self, work: Work, plan: MemoryPlan) -> Work:
        """Return the work with its promise, and its tools with the room that is left; raises `TooLarge`."""
        limit = self.limit
        if limit is not None and plan.peak > limit:
            raise _refused(plan, limit)
        room = None if limit is None else max(0, limit - plan.held)
        tools = replace(work.tools, memory=room)
        return replace(work, memory=as_json(plan, limit), tools=tools, is_mapped=plan.is_mapped)


def shape_of(given: ClusterInput, *, former: int = 0) -> RunShape:
    """Return the shape of an input."""
    return RunShape(
        rows=len(given.ids) if given.sample is None else len(given.sample),
        documents=len(given.ids),
        width=sum(given.widths),
        is_joined=given.is_joined,
        former=former,
    )


def _asked(spec: ClusterSpec, steps: Sequence[PreprocessingStep], rows: int) -> RunAsked:
    learned = 0 if spec.learning is None else min(rows, spec.learning.sample_size or MOST_ROWS)
    return RunAsked(
        algorithm=spec.algorithm,
        steps=steps,
        map_dimensions=spec.map_dimensions,
        map_method=str(spec.map.method),
        levels=spec.levels,
        effort=str(spec.stability),
        learned_rows=learned,
    )


def _refused(plan: MemoryPlan, limit: int) -> TooLarge:
    needs, may = -(-plan.peak // MIB), limit // MIB
    message = f"The run would take {needs} MiB in the stage {plan.largest}; cluster_memory_mib allows {may}."
    detail = {"estimated_peak_bytes": plan.peak, "limit_bytes": limit, "stage": plan.largest}
    return TooLarge(message, detail=detail, hint="cluster a smaller sample_size, or raise SHOAL_CLUSTER_MEMORY_MIB")


def as_json(plan: MemoryPlan, limit: int | None) -> JsonObject:
    """Return a promise as the run shows it."""
    return {
        "estimated_peak_bytes": plan.peak,
        "held_bytes": plan.held,
        "largest_stage": plan.largest,
        "limit_bytes": limit,
        "vectors_mapped": plan.is_mapped,
    }
