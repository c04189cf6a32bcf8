"""Runs that group by several features, each by itself: one result for each feature goes in, one for all comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoald.application.cluster_definitions import ClusterSpec
from shoald.application.cluster_inputs import ClusterInput, ClusterInputs, part_of
from shoald.application.cluster_work import Work
from shoald.application.memory_promises import MemoryPromises
from shoald.application.several_results import SeveralResults
from shoald.application.vector_runs import VectorRuns
from shoald.domain.clustering.memory import one_after_another
from shoald.domain.failures import ArtifactNotFound
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.vocabulary import MultiFeatureStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class IndependentRuns:
    """Does runs of the strategy independent."""

    inputs: ClusterInputs
    vectors: VectorRuns
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> SeveralResults:
        """Take each feature through the stages, with the ids of its groups under its name."""
        works = by_feature(work)
        step = work.stage("snapshot", "reading vectors")
        given = {
            one: self.inputs.read(collections, mine.spec, part_of(step, at, len(works)))
            for at, (one, mine) in enumerate(works.items())
        }
        return self.grouped(works, given)

    def grouped(
        self, works: Mapping[str, Work], given: Mapping[str, ClusterInput], *, former: int = 0
    ) -> SeveralResults:
        """Group the input of each feature under one promise of memory; `former` as in `VectorRuns.planned`."""
        plans = [self.vectors.planned(work, given[one], former=former) for one, work in works.items()]
        documents = max(len(one.ids) for one in given.values())
        promised = self.memory.promised(next(iter(works.values())), one_after_another(plans, documents))
        parts = {}
        for one, work in works.items():
            kept = replace(work, memory=promised.memory, tools=promised.tools, is_mapped=promised.is_mapped)
            parts[one] = self.vectors.grouped(kept, given[one])
        return SeveralResults(parts=parts)


def is_independent(spec: ClusterSpec) -> bool:
    """Say whether several features are grouped, each by itself."""
    return spec.strategy == MultiFeatureStrategy.INDEPENDENT and len(spec.features) > 1


def by_feature(work: Work) -> dict[str, Work]:
    """Return the work of each feature alone."""
    features = work.spec.features
    return {
        one: replace(work, spec=replace(work.spec, features=(one,)), feature=one, part=(at, len(features)))
        for at, one in enumerate(features)
    }


def run_of_feature(run: ClusterRun, feature: str) -> ClusterRun:
    """Return a run of several features as one of them alone would have it; ids of its groups stay as they are.

    Raises `ArtifactNotFound` for a run that did not group by the feature.
    """
    own = run.effective.get("features", {}).get(feature)
    if own is None:
        message = f"The execution did not group by the feature {feature!r} alone."
        raise ArtifactNotFound(message, detail={"run_id": run.run_id, "feature": feature})
    prefix = f"{feature}:"
    identity = run.effective["identity"]
    numbers = {
        parent.removeprefix(prefix): number
        for parent, number in identity["next_numbers"].items()
        if parent.startswith(prefix)
    }
    effective = {**run.effective, **own, "identity": {**identity, "next_numbers": numbers}}
    return replace(run, effective=effective, metrics=own["metrics"])
