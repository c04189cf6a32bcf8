"""Each way of doing a cluster run, put together; numeric libraries are imported with this module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.application.assign_runs import AssignRuns
from shoald.application.attribute_runs import AttributeRuns
from shoald.application.cluster_naming import ClusterNaming
from shoald.application.cluster_pipeline import Ways
from shoald.application.composite_runs import CompositeRuns
from shoald.application.former_runs import FormerRuns
from shoald.application.independent_runs import IndependentRuns
from shoald.application.later_maps import LaterMaps
from shoald.application.memory_promises import MemoryPromises
from shoald.application.replay_runs import ReplayRuns
from shoald.application.sweep_runs import SweepRuns
from shoald.application.vector_runs import VectorRuns

if TYPE_CHECKING:
    from shoald.application.cluster_inputs import ClusterInputs
    from shoald.application.model_labels import ModelLabels
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.run_tables import RunTables
    from shoald.application.ports.staged_arrays import StagedArrays
    from shoald.application.ports.unit_of_work import OpenUnitOfWork


def cluster_ways(  # noqa: PLR0913 - a run touches everything
    *,
    open_unit_of_work: OpenUnitOfWork,
    inputs: ClusterInputs,
    objects: ObjectStore,
    tables: RunTables,
    staged: StagedArrays,
    limit_mib: int,
    models: ModelLabels,
) -> Ways:
    """Return all ways, which share their parts."""
    opens = open_unit_of_work
    former = FormerRuns(objects=objects, tables=tables)
    naming = ClusterNaming(open_unit_of_work=opens, models=models)
    memory = MemoryPromises(open_unit_of_work=opens, limit_mib=limit_mib)
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
            open_unit_of_work=opens, inputs=inputs, former_runs=former, vectors=vectors, memory=memory, staged=staged
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
