"""What does cluster runs, given the outside of a process; numeric libraries are imported with this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.adapters.arrays import ArrayLibraries
from shoald.adapters.estimators import estimators_for
from shoald.adapters.process_memory import ProcessMemory
from shoald.application.assign_runs import AssignRuns
from shoald.application.attribute_runs import AttributeRuns
from shoald.application.cluster_naming import ClusterNaming
from shoald.application.cluster_pipeline import ClusterPipeline, Ways
from shoald.application.composite_runs import CompositeRuns
from shoald.application.enriching import EnrichingFollower
from shoald.application.former_runs import FormerRuns
from shoald.application.independent_runs import IndependentRuns
from shoald.application.later_maps import LaterMaps
from shoald.application.memory_promises import MemoryPromises
from shoald.application.output_collections import OutputWriting
from shoald.application.replay_runs import ReplayRuns
from shoald.application.sweep_runs import SweepRuns
from shoald.application.vector_runs import VectorRuns

if TYPE_CHECKING:
    from shoald.wiring.adapters import Adapters


def build_cluster_pipeline(adapters: Adapters) -> ClusterPipeline:
    """Build it."""
    return ClusterPipeline(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        objects=adapters.objects,
        ways=_ways(adapters),
        tables=adapters.run_tables,
        staged=adapters.staged_arrays,
        arrays=ArrayLibraries(),
        estimators=estimators_for,
        meter=ProcessMemory(),
        backend=adapters.settings.array_backend,
        followers=[
            OutputWriting(objects=adapters.objects, tables=adapters.run_tables),
            EnrichingFollower(adapters.jobs),
        ],
        send=adapters.jobs.dispatch,
    )


def _ways(adapters: Adapters) -> Ways:
    """Build each way of doing a run."""
    opens, inputs, staged = adapters.open_unit_of_work, adapters.cluster_inputs, adapters.staged_arrays
    former = FormerRuns(objects=adapters.objects, tables=adapters.run_tables)
    naming = ClusterNaming(open_unit_of_work=opens)
    memory = MemoryPromises(open_unit_of_work=opens, limit_mib=adapters.settings.cluster_memory_mib)
    vectors = VectorRuns(
        open_unit_of_work=opens, inputs=inputs, naming=naming, staged=staged, former_runs=former, memory=memory
    )
    independent = IndependentRuns(inputs=inputs, vectors=vectors, memory=memory)
    return Ways(
        vectors=vectors,
        attributes=AttributeRuns(open_unit_of_work=opens, naming=naming, memory=memory),
        composite=CompositeRuns(open_unit_of_work=opens, former_runs=former, naming=naming, memory=memory),
        assign=AssignRuns(open_unit_of_work=opens, inputs=inputs, former_runs=former, memory=memory),
        sweep=SweepRuns(inputs=inputs, staged=staged, memory=memory),
        maps=LaterMaps(
            open_unit_of_work=opens,
            inputs=inputs,
            former_runs=former,
            vectors=vectors,
            memory=memory,
            staged=staged,
        ),
        independent=independent,
        replay=ReplayRuns(
            open_unit_of_work=opens,
            inputs=inputs,
            former_runs=former,
            vectors=vectors,
            independent=independent,
            memory=memory,
        ),
    )
