"""The names of a run's groups as readers see them: those that people gave them, else what the run made of them."""

from __future__ import annotations

from collections.abc import Mapping

from shoald.domain.records.cluster import NOISE_CENTROID, NOISE_MEMBER, ClusterRun

NOISE_LABEL = "noise"


def labels_of(run: ClusterRun) -> Mapping[str, str | None]:
    """Return the label of each group by its id; those in no group go by both of their ids."""
    labels: dict[str, str | None] = {NOISE_CENTROID: NOISE_LABEL}
    labels |= {row["cluster_id"]: row["label"] for row in run.groups}
    return {**labels, NOISE_MEMBER: labels[NOISE_CENTROID]}
