"""Mean shift on a space: groups around the modes of the rows' density."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

import numpy as np

from shoald.domain.clustering.assignment import nearest_centres
from shoald.domain.clustering.distances import distance_blocks
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.mixture import given_array
from shoald.domain.clustering.modes import Modes, binned_seeds, find_modes, typical_bandwidth
from shoald.domain.clustering.neighbour_graph import centred
from shoald.domain.clustering.parameters import MeanShiftParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Grouping, Labels, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, shares
from shoald.domain.failures import InvalidFields

MOST_SEEDS = 20_000
"""With more rows, so many of them, evenly apart, are the seeds."""
ASKED = 5_000
"""Rows that the bandwidth is estimated from, at most."""


def group_by_mean_shift(
    space: Space, parameters: MeanShiftParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Move seeds uphill to the modes, and give each row its nearest mode; further than the bandwidth it is noise
    unless `cluster_all`.

    The bandwidth, where none is given, is the mean distance to the last of the nearest `bandwidth_quantile` of all
    rows. O(rounds · seeds · n d) in products, flat memory. Raises
    `InvalidFields` for seeds of another dimension, or from which no row lies within the bandwidth.
    """
    middle = space.vectors.mean(axis=0, dtype=np.float64)
    vectors = centred(space.vectors)
    bandwidth = parameters.bandwidth or _estimated(space, parameters, tools, shares(step, 0.0, 0.2))
    seeds, warnings = _seeds(vectors, middle, parameters, bandwidth)
    climb = partial(find_modes, vectors, bandwidth=bandwidth, max_iter=parameters.max_iter, backend=tools.arrays)
    found = climb(seeds, step=shares(step, 0.2, 0.95))
    if not len(found.centres) and parameters.seeds is None:
        warnings.append("no row lies within the bandwidth of a grid cell's middle: rows were the seeds")
        seeds, more = _seeds(vectors, middle, replace(parameters, bin_seeding=False), bandwidth)
        warnings += more
        found = climb(seeds)
    if not len(found.centres):
        message = "no row lies within the bandwidth of any seed"
        raise InvalidFields.field("seeds", message=message, value=len(seeds))
    nearest, squares = nearest_centres(vectors, found.centres, backend=tools.arrays)
    if not parameters.cluster_all:
        nearest = np.where(np.sqrt(squares) <= bandwidth, nearest, -1)
    labels, _ = by_size(nearest)
    step(1.0)
    return Grouping(
        labels=labels,
        probabilities=(labels >= 0).astype(np.float32),
        effective={**asdict(parameters), "bandwidth": bandwidth},
        notes={"seeds": len(seeds), "rounds": found.rounds, "modes": len(found.centres)},
        warnings=(*warnings, *_advice(labels, found, parameters, bandwidth)),
    )


def _estimated(space: Space, parameters: MeanShiftParameters, tools: ClusterTools, step: Step) -> float:
    n = len(space)
    asked = np.unique(np.linspace(0, n - 1, min(n, ASKED)).astype(np.int64))
    block = distance_blocks(space.vectors, "euclidean", tools=tools)
    found = typical_bandwidth(block, n, parameters.bandwidth_quantile, asked=asked, step=step)
    # 0: equal rows, or so few that each is its own nearest share; then any radius serves that holds the row itself
    return found or float(np.sqrt(space.vectors.var(axis=0, dtype=np.float64).sum())) or 1.0


def _seeds(
    vectors: Floats, middle: Doubles, parameters: MeanShiftParameters, bandwidth: float
) -> tuple[Floats, list[str]]:
    d = vectors.shape[1]
    if parameters.seeds is not None:
        given = given_array(parameters.seeds, (len(parameters.seeds), d))
        if given is None or not len(given):
            message = f"must be rows of {d} finite numbers"
            raise InvalidFields.field("seeds", message=message, value=len(parameters.seeds))
        return np.asarray(given - middle, dtype=np.float32), []
    seeds = vectors
    if parameters.bin_seeding:
        # the grid is that of the vectors as they were given
        cells = binned_seeds((vectors + middle).astype(np.float32), bandwidth, parameters.min_bin_freq)
        seeds = np.asarray(cells - middle, dtype=np.float32)
    if len(seeds) <= MOST_SEEDS:
        return seeds, []
    chosen = np.linspace(0, len(seeds) - 1, MOST_SEEDS).astype(np.int64)
    return seeds[chosen], [f"{MOST_SEEDS} of {len(seeds)} seeds were followed, evenly apart"]


def _advice(labels: Labels, found: Modes, parameters: MeanShiftParameters, bandwidth: float) -> list[str]:
    warnings = []
    if not found.rested:
        warnings.append(f"some seeds did not come to rest in max_iter = {parameters.max_iter} rounds")
    if len(found.centres) == 1 and len(labels) > 1:
        warnings.append(f"one mode at bandwidth {bandwidth:.4g}: a smaller bandwidth or bandwidth_quantile finds more")
    return warnings
