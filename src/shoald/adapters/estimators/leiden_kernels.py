"""The inner loops of the Leiden algorithm, compiled when this module is first used and kept on disk.

A graph is CSR with both directions of every edge, weights above 0. `masses` are what a row weighs in the null model:
its degree for modularity, 1 (its number of rows) for the constant Potts model. A community's worth is its inner weight
less `gamma` times half the square of its mass. Loops on one row after another, so there is nothing to vectorize.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """Compile a loop for the types that it is first called with, and keep it beside this file or in the user's cache;
    where neither can be written to, each process compiles for itself.
    """
    try:
        return cast("Loop", njit(cache=True, nogil=True)(loop))
    except RuntimeError:
        return cast("Loop", njit(nogil=True)(loop))


@compiled
def weights_to(
    row: int, graph: Any, labels: Any, within: Any, to: Any, seen: Any
) -> int:  # pragma: no cover - compiled
    """Add up a row's weights to the communities of its neighbours (those `within` the same whole, where given)."""
    bounds, columns, weights = graph
    found = 0
    for at in range(bounds[row], bounds[row + 1]):
        other = columns[at]
        if other == row or (len(within) and within[other] != within[row]):
            continue
        label = labels[other]
        if to[label] == 0.0:
            seen[found] = label
            found += 1
        to[label] += weights[at]
    return found


@compiled
def best_of(own: int, pull: float, totals: Any, to: Any, seen: Any, slack: float) -> int:  # pragma: no cover
    """Return the community that gains most, the row's own where none gains more; -1: better alone.

    `pull` is what the null model expects of the row for each mass of a community.
    """
    best, most = own, to[own] - pull * totals[own]
    if -slack > most:
        best, most = -1, 0.0
    for label in seen:
        gain = to[label] - pull * totals[label]
        if gain > most + slack:
            best, most = label, gain
    return best


@compiled
def move_rows(graph: Any, masses: Any, labels: Any, gamma: float, order: Any, slack: float) -> None:  # pragma: no cover
    """Move rows, in an order, to the community that gains most until none gains; a move asks its neighbours again.

    `labels` (n,) in [0, n) is changed in place. About O(edges) a round, few rounds.
    """
    bounds, columns, _ = graph
    n = len(labels)
    totals, sizes = np.zeros(n), np.zeros(n, dtype=np.int64)
    for row in range(n):
        totals[labels[row]] += masses[row]
        sizes[labels[row]] += 1
    free = [label for label in range(n) if sizes[label] == 0]
    to, seen, nowhere = np.zeros(n), np.empty(n, dtype=np.int64), np.empty(0, dtype=np.int64)
    queue, waits = order.copy(), np.ones(n, dtype=np.bool_)
    head, length = 0, n
    while length:
        row = queue[head]
        head, length, waits[row] = (head + 1) % n, length - 1, False
        own = labels[row]
        found = weights_to(row, graph, labels, nowhere, to, seen)
        totals[own] -= masses[row]
        best = best_of(own, gamma * masses[row], totals, to, seen[:found], slack)
        to[seen[:found]] = 0.0
        if best < 0:
            best = own if sizes[own] == 1 else free.pop()
        totals[best] += masses[row]
        if best == own:
            continue
        labels[row] = best
        sizes[own] -= 1
        sizes[best] += 1
        if sizes[own] == 0:
            free.append(own)
        for at in range(bounds[row], bounds[row + 1]):
            other = columns[at]
            if labels[other] != best and not waits[other]:
                queue[(head + length) % n] = other
                length += 1
                waits[other] = True


@compiled
def refine_rows(
    graph: Any, masses: Any, labels: Any, gamma: float, order: Any, slack: float
) -> Any:  # pragma: no cover
    """Return (n,) parts of the communities: rows alone at first, joined where both sides hang well on their community.

    Parts are connected, and so are the communities that later levels make of them (Traag and others 2019). Each row
    joins the part that gains most.
    """
    bounds, columns, weights = graph
    n = len(labels)
    parts, inner = np.arange(n), np.zeros(n)
    totals, sizes, whole = masses.astype(np.float64), np.ones(n, dtype=np.int64), np.zeros(n)
    to, seen = np.zeros(n), np.empty(n, dtype=np.int64)
    for row in range(n):
        whole[labels[row]] += masses[row]
        for at in range(bounds[row], bounds[row + 1]):
            other = columns[at]
            if other != row and labels[other] == labels[row]:
                inner[row] += weights[at]
    for row in order:
        mass, around = masses[row], whole[labels[row]]
        if sizes[parts[row]] > 1 or inner[parts[row]] < gamma * mass * (around - mass):
            continue
        found = weights_to(row, graph, parts, labels, to, seen)
        best, most, hangs = -1, 0.0, to[seen[:found]].sum()
        for label in seen[:found]:
            gain = to[label] - gamma * mass * totals[label]
            if gain > most + slack and inner[label] >= gamma * totals[label] * (around - totals[label]):
                best, most = label, gain
        if best >= 0:
            sizes[parts[row]] -= 1
            inner[best] += hangs - 2 * to[best]
            totals[best] += mass
            sizes[best] += 1
            parts[row] = best
        to[seen[:found]] = 0.0
    return parts


@compiled
def merged_rows(graph: Any, parts: Any, order: Any, begins: Any) -> Any:  # pragma: no cover - compiled
    """Return the graph whose rows are parts: edges between two of them added up, those within one as its loop.

    Part p is the rows `order[begins[p]:begins[p + 1]]`, and `parts` (n,) says the same. O(edges).
    """
    bounds, columns, weights = graph
    count = len(begins) - 1
    to, seen = np.zeros(count), np.empty(count, dtype=np.int64)
    ends, others, sums = (
        np.zeros(count + 1, bounds.dtype),
        np.empty(len(columns), columns.dtype),
        np.empty(len(columns)),
    )
    filled = 0
    for part in range(count):
        found = 0
        for row in order[begins[part] : begins[part + 1]]:
            for at in range(bounds[row], bounds[row + 1]):
                label = parts[columns[at]]
                if to[label] == 0.0:
                    seen[found] = label
                    found += 1
                to[label] += weights[at]
        for label in seen[:found]:
            others[filled], sums[filled] = label, to[label]
            to[label] = 0.0
            filled += 1
        ends[part + 1] = filled
    return ends, others[:filled].copy(), sums[:filled].copy()


@compiled
def weight_within(graph: Any, labels: Any) -> float:  # pragma: no cover - compiled
    """Return what the edges within communities weigh, each in both directions."""
    bounds, columns, weights = graph
    total = 0.0
    for row in range(len(labels)):
        for at in range(bounds[row], bounds[row + 1]):
            if labels[columns[at]] == labels[row]:
                total += weights[at]
    return total
