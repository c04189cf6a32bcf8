"""k-means on a space: groups, what the polish took, and what a reader should know of it."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.kmeans import kmeans
from shoald.domain.clustering.parameters import KmeansParameters
from shoald.domain.clustering.spaces import Grouping, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, drawn


def group_by_kmeans(
    space: Space, parameters: KmeansParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Group rows around means; a seed left open is drawn and recorded."""
    seed = drawn(parameters.random_state)
    found = kmeans(space.vectors, parameters, seed, backend=tools.arrays, step=step)
    labels, _ = by_size(found.labels)
    grouping = int(labels.max()) + 1
    warnings = []
    if grouping < parameters.n_clusters:
        warnings.append(f"only {grouping} of {parameters.n_clusters} clusters have members: too few vectors differ")
    if not found.converged:
        warnings.append(f"k-means did not converge in max_iter = {parameters.max_iter} iterations")
    if parameters.algorithm == "elkan":
        warnings.append("algorithm elkan gives what lloyd gives; lloyd was used, which is faster on such vectors")
    notes = {
        "inertia": found.inertia,
        "iterations": found.iterations,
        "converged": found.converged,
        "restarts": parameters.n_init,
        "restart_rows": found.sample_rows,
    }
    effective = {**asdict(parameters), "random_state": seed, "algorithm": "lloyd"}
    ones = np.ones(len(labels), dtype=np.float32)
    return Grouping(labels=labels, probabilities=ones, effective=effective, notes=notes, warnings=tuple(warnings))
