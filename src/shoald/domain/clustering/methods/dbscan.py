"""DBSCAN on a space, exact and in flat memory: rows with enough neighbours within a radius, and what they reach."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import numpy.typing as npt
from scipy import sparse

from shoald.domain.clustering.distances import Within, blocks, distance_blocks, within_radius
from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.parameters import DbscanParameters
from shoald.domain.clustering.spaces import Grouping, Integers, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, shares

KEPT_PAIRS = 10_000_000
"""So many pairs within the radius are kept for the second look; with more, the products are made again."""
LOOKED_AT = 256
"""Rows from which a better radius is guessed."""
MOSTLY = 0.9

Bools = npt.NDArray[np.bool_]


def group_by_dbscan(
    space: Space, parameters: DbscanParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Group rows that have `min_samples` rows within `eps` (themselves included) with all that these reach.

    A row that reaches no such row is noise; one that reaches several groups belongs to the group whose first core row
    comes first, as in scikit-learn. O(n² d) in products, O(n d) memory and a bounded part for pairs.
    """
    metric, p, options = parameters.metric, parameters.p, parameters.metric_params
    within = within_radius(space.vectors, parameters.eps, metric, tools=tools, p=p, metric_params=options)
    groups, core = _reached(within, len(space), parameters.min_samples, step)
    labels, _ = by_size(groups)
    step(1.0)
    return Grouping(
        labels=labels,
        probabilities=(labels >= 0).astype(np.float32),
        effective=asdict(parameters),
        notes={"core_rows": int(core.sum())},
        warnings=_advice(labels, space, parameters, tools),
    )


def _reached(within: Within, n: int, min_samples: int, step: Step) -> tuple[Integers, Bools]:
    """Return (n,) group numbers (the group's first core row; -1 for noise) and which rows are core."""
    counts, kept = _counted(within, n, shares(step, 0.0, 0.5))
    core = counts >= min_samples
    if kept is not None:
        again: Within = _remembered(counts, kept, n)
    else:
        again = within
    return _joined(again, core, shares(step, 0.5, 1.0)), core


def _counted(within: Within, n: int, step: Step) -> tuple[Integers, npt.NDArray[np.int32] | None]:
    """Count each row's neighbours, and keep them while they are few; None when they are too many."""
    counts = np.zeros(n, dtype=np.int64)
    # only what is written of it takes memory
    kept: npt.NDArray[np.int32] | None = np.empty(min(n * n, KEPT_PAIRS), dtype=np.int32)
    total = 0
    for ids in blocks(np.arange(n), n):
        near = within(ids)
        counts[ids] = near.sum(axis=1)
        begin, total = total, total + int(counts[ids].sum())
        if total > KEPT_PAIRS:
            kept = None
        if kept is not None:
            kept[begin:total] = np.nonzero(near)[1]
        step((ids[-1] + 1) / n)
    return counts, kept


def _remembered(counts: Integers, kept: npt.NDArray[np.int32], n: int) -> Within:
    """Return what was found within the radius as a table again."""
    bounds = np.concatenate([[0], np.cumsum(counts)])

    def within(ids: Integers) -> Bools:
        near = np.zeros((len(ids), n), dtype=np.bool_)
        for at, row in enumerate(ids.tolist()):
            near[at, kept[bounds[row] : bounds[row + 1]]] = True
        return near

    return within


def _joined(within: Within, core: Bools, step: Step) -> Integers:
    """Join core rows that reach one another, then give every other row the first group that reaches it."""
    n = len(core)
    group = np.arange(n)
    cores, others = np.flatnonzero(core), np.flatnonzero(~core)
    done = 0
    for ids in blocks(cores, n):
        near = within(ids) & core[None, :]
        near &= group[None, :] != group[ids][:, None]
        row, other = np.nonzero(near)
        if len(row):
            group = _merged(group, ids[row], other)
        done += len(ids)
        step(done / n)
    first = np.full(n, n)
    np.minimum.at(first, group[cores], cores)
    number = np.where(core, first[group], n)
    for ids in blocks(others, n):
        number[ids] = np.where(within(ids) & core[None, :], number[None, :], n).min(axis=1, initial=n)
        done += len(ids)
        step(done / n)
    return np.where(number < n, number, -1)


def _merged(group: Integers, left: Integers, right: Integers) -> Integers:
    """Join the groups of pairs of rows."""
    n = len(group)
    pairs = sparse.coo_matrix((np.ones(len(left), dtype=np.int8), (group[left], group[right])), shape=(n, n))
    return np.asarray(sparse.csgraph.connected_components(pairs, directed=False)[1][group], dtype=np.int64)


def _advice(
    labels: npt.NDArray[np.int32], space: Space, parameters: DbscanParameters, tools: ClusterTools
) -> tuple[str, ...]:
    """Name a radius at which rows begin to have neighbours, where the given one finds nearly nothing or one group."""
    n = len(space)
    noise = float((labels < 0).mean())
    one = float((labels == 0).mean())
    if n <= parameters.min_samples or (noise <= MOSTLY and one <= MOSTLY):
        return ()
    ids = np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(np.int64)
    block = distance_blocks(
        space.vectors, parameters.metric, tools=tools, p=parameters.p, metric_params=parameters.metric_params
    )
    reach = np.concatenate(
        [
            np.partition(block(some), parameters.min_samples - 1)[:, parameters.min_samples - 1]
            for some in blocks(np.unique(ids), n)
        ]
    )
    low, middle = np.quantile(reach, [0.1, 0.5])
    what = f"{noise:.0%} noise" if noise > MOSTLY else f"one group of {one:.0%}"
    found = (
        f"eps {parameters.eps:g} gives {what}: a tenth of the rows have min_samples rows within {low:.3g}, half of "
        f"them within {middle:.3g}; a radius near these finds groups"
    )
    return (found,)
