"""A run's shape goes in; what it will take of memory is stated, kept to, or a reason to refuse, before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shoald.application.cluster_work import Work
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.clustering.memory import MemoryPlan, RunShape, planned
from shoald.domain.clustering.parameters import PreprocessingStep
from shoald.domain.failures import TooLarge
from shoald.domain.json_types import JsonObject

MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPromises:
    """States peaks and refuses what exceeds the setting; `limit_mib` 0 is no limit."""

    open_unit_of_work: OpenUnitOfWork
    limit_mib: int = 0

    def promised(
        self, work: Work, steps: Sequence[PreprocessingStep], *, rows: int, documents: int, width: int
    ) -> Work:
        """Return the work with its promise, which the run shows from now on.

        Raises `TooLarge` with the numbers when the run would take more than it may, by the cheapest ways that there
        are for its stages.
        """
        work = self.kept_to(work, steps, RunShape(rows=rows, documents=documents, width=width))
        with self.open_unit_of_work() as uow:
            uow.cluster_runs.note(work.run.run_id, {"memory": work.memory})
            uow.commit()
        return work

    def kept_to(self, work: Work, steps: Sequence[PreprocessingStep], shape: RunShape) -> Work:
        """Return the work with its promise, and its tools with the room that is left; raises `TooLarge`."""
        limit = self.limit_mib * MIB if self.limit_mib else None
        plan = planned(shape, work.spec.algorithm, steps, work.spec.map_dimensions, limit=limit)
        if limit is not None and plan.peak > limit:
            raise _refused(plan, limit)
        room = None if limit is None else max(0, limit - plan.held)
        return replace(work, memory=_as_json(plan, limit), tools=replace(work.tools, memory=room))


def _refused(plan: MemoryPlan, limit: int) -> TooLarge:
    needs, may = -(-plan.peak // MIB), limit // MIB
    message = f"The run would take {needs} MiB in the stage {plan.largest}; cluster_memory_mib allows {may}."
    detail = {"estimated_peak_bytes": plan.peak, "limit_bytes": limit, "stage": plan.largest}
    return TooLarge(message, detail=detail, hint="cluster a smaller sample_size, or raise SHOAL_CLUSTER_MEMORY_MIB")


def _as_json(plan: MemoryPlan, limit: int | None) -> JsonObject:
    return {
        "estimated_peak_bytes": plan.peak,
        "held_bytes": plan.held,
        "largest_stage": plan.largest,
        "limit_bytes": limit,
    }
