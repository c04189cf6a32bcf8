"""An algorithm's parameters and the size of its input in; the bytes it will take at most beside that input out.

The terms are the arrays of each method at the moment when most of them are alive; the constants of blocks are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from shoald.domain.clustering.approximate_graph import OFTEN, ROWS_AT_ONCE, WIDE, WIDER
from shoald.domain.clustering.distances import BLOCK_ENTRIES, distance_block_bytes
from shoald.domain.clustering.estimators import EXACT_ON_PROCESSOR
from shoald.domain.clustering.kmeans import ROWS_PER_CENTRE, SAMPLE_ROWS
from shoald.domain.clustering.methods import agglomerative, dbscan, hdbscan, optics, spectral
from shoald.domain.clustering.methods.automatic import LOOKED_AT, MANY_ROWS
from shoald.domain.clustering.metrics import own_metric
from shoald.domain.clustering.neighbour_graph import BLOCK_OPERATIONS, SPARE
from shoald.domain.clustering.parameters import (
    AgglomerativeParameters,
    AlgorithmParameters,
    AutoParameters,
    DbscanParameters,
    EvocParameters,
    GaussianMixtureParameters,
    HdbscanParameters,
    KmeansParameters,
    LeidenParameters,
    MeanShiftParameters,
    OpticsParameters,
    SpectralParameters,
)
from shoald.domain.clustering.piece_joining import TILE_ENTRIES, TILE_ROWS
from shoald.domain.clustering.reachability import SCANNED_ENTRIES, TOGETHER
from shoald.domain.clustering.spanning_tree import scanned_rows
from shoald.domain.clustering.tools import LISTED

PROPOSED = 25
"""Bytes of a proposed neighbour: its id and its distance, as they are and as they are ordered."""
PRODUCTS = 1_000_000
"""Products of rows and centres that are there at once: those of two threads."""
MIB = 1 << 20
TILES = 10 * MIB
"""Tiles of products in each thread, and what passes their limits."""
BESIDE = 2 * MIB
"""What goes into threads' buffers and small objects whatever the size."""
PER_SCANNED = 12
"""Bytes of a squared distance while rows of a spanning tree are scanned."""
PER_COMPARED = 16
"""Bytes of a squared distance while pieces of a spanning tree are compared, a tile in each of two threads."""
BY_LIBRARY = 24
"""Bytes of an entry of a block of distances that a library computes, or that is sorted."""
A_PAIR = 4
PER_LINK = 80
"""Bytes of a listed neighbour while graphs of both directions are made of edges."""
LOOPS = 8 << 20
"""What the compiled loops take of their own."""
LOOKS = 8 * MIB
"""What is left of a first look when the choice is made."""
PAIRS_SHARE = 40
"""One of so many pairs of rows is taken to lie within a radius that makes sense."""
SCANNED_SHARE = 8
"""One of so many rows, at most, is taken to wait to be scanned by OPTICS at once."""
PER_ROW = 900
"""Bytes of a row in the plain lists of the condensed tree."""
PACKED, PACKED_COLUMNS = 20 * MIB, 256
"""What a library of products keeps of both sides of large ones in doubles: at most, and so many columns of a row."""

Formula = Callable[[Any, int, int], int]


def peak_bytes(parameters: AlgorithmParameters, n: int, d: int, memory: int | None = None) -> int:
    """Return the most bytes that grouping (n, d) vectors takes beside them. `memory` is the limit that the algorithm
    will be told: some then take a cheaper way.
    """
    if isinstance(parameters, SpectralParameters | AgglomerativeParameters):
        return _with_table(parameters, n, d, memory)
    return _FORMULAS[type(parameters)](parameters, n, d)


def graph_bytes(n: int, d: int, k: int, *, exact: bool = False) -> int:
    """Return the bytes of building the graph of k neighbours, which itself takes 12 n k of them."""
    k = min(n, -(-k // LISTED) * LISTED)
    if not exact and 2.0 * n * n * d > EXACT_ON_PROCESSOR:
        # whole numbers beside the rows of the sample's exact search, the lists as they grow, and who lists whom
        followed = 8 * ROWS_AT_ONCE * 2 * OFTEN * WIDE * d
        return 8 * n * d + 30 * n * (k + WIDER) + 1000 * n + followed + TILES
    here = min(n, int(max(256, min(4096, BLOCK_OPERATIONS / (2.0 * n * d)))))
    return TILES + 4 * n * d + 20 * n * k + 4 * here * d + PROPOSED * here * (k + SPARE)


def _kmeans(given: KmeansParameters, n: int, d: int) -> int:
    k = given.n_clusters
    sample = max(SAMPLE_ROWS, ROWS_PER_CENTRE * k)
    rows = 4 * n * d + (4 * sample * d if sample < n else 0)
    return rows + 8 * min(n, SAMPLE_ROWS) * d + 12 * min(PRODUCTS, n * k) + 40 * n + 24 * k * (d + k) + 3 * MIB


def _dbscan(given: DbscanParameters, n: int, d: int) -> int:
    if own_metric(given.metric, given.p, given.metric_params) is None:
        return distance_block_bytes(n, d, BY_LIBRARY) + 8 * n * d
    looked = 8 * n * d + 16 * min(dbscan.LOOKED_AT * n, BLOCK_ENTRIES)
    # half of the pairs that may be kept: how many there are is not known before
    pairs = A_PAIR * min(n * n // PAIRS_SHARE, dbscan.KEPT_PAIRS // 2)
    return max(4 * n * d + 11 * min(n * n, BLOCK_ENTRIES) + pairs, looked) + 40 * n


def _hdbscan(given: HdbscanParameters, n: int, d: int) -> int:
    k = max(hdbscan.LISTED, (given.min_samples or given.min_cluster_size) + 1)
    own = own_metric(given.metric)
    by_tree = given.match_reference_implementation or (d <= hdbscan.FEW_DIMENSIONS and given.alpha == 1)
    if own is None or (own == "euclidean" and by_tree):
        # float64 rows and their tree of space
        return max(24 * n * d, PER_ROW * n)
    return max(graph_bytes(n, d, k), _tree(n, d, k), PER_ROW * n)


def _tree(n: int, d: int, k: int) -> int:
    """Return what the spanning tree takes while its lists are looked through, or rows or pieces compared."""
    compared = max(PER_SCANNED * n * scanned_rows(n), PER_COMPARED * min(TILE_ENTRIES, TILE_ROWS * n))
    return 8 * n * d + max(44 * n * k, 24 * n * k + compared) + 4 * MIB


def _with_table(given: SpectralParameters | AgglomerativeParameters, n: int, d: int, memory: int | None) -> int:
    """Return what the table of all pairs takes, or what goes without it."""
    if isinstance(given, AgglomerativeParameters):
        if given.linkage == "single" and own_metric(given.affinity):
            k = agglomerative.LISTED
            return max(graph_bytes(n, d, k, exact=True), _tree(n, d, k), PER_ROW * n)
        if agglomerative.has_room(n, d, memory):
            return agglomerative.table_bytes(n, d)
        count = max(agglomerative.SMALL_GROUPS, 2 * (given.n_clusters or 1))
        merging = agglomerative.table_bytes(count, d)
        return max(4 * n * d + 12 * min(PRODUCTS, n * count) + 12 * MIB, merging) + 24 * n
    if given.affinity != "nearest_neighbors" and spectral.has_room(given, n, d, memory):
        return spectral.table_bytes(given, n, d)
    k = given.n_neighbors if given.affinity == "nearest_neighbors" else max(spectral.NEAREST, given.n_neighbors) + 1
    return max(graph_bytes(n, d, k), 72 * n * k + spectral.iteration_bytes(given, n))


def _mixture(given: GaussianMixtureParameters, n: int, d: int) -> int:
    k = given.n_components
    per_number = 48 if given.covariance_type in {"full", "tied"} else 26
    block = per_number * min(n * max(d, k), max(BLOCK_ENTRIES, 64 * max(d, k)))
    moments = 32 * {"full": k * d * d, "tied": d * d + k * d}.get(given.covariance_type, k * d)
    first = _kmeans(KmeansParameters(n_clusters=max(2, k)), n, d) if given.init_params == "kmeans" else 0
    return max(block + moments + 24 * n * k, first)


def _mean_shift(given: MeanShiftParameters, n: int, d: int) -> int:
    walk = 14 * n * d + 8 * min(n * n, BLOCK_ENTRIES) + (4 * n * d if given.bin_seeding else 0)
    return walk if given.bandwidth else max(walk, distance_block_bytes(n, d, BY_LIBRARY) + 4 * n * d)


def _optics(given: OpticsParameters, n: int, d: int) -> int:
    k = max(optics.LISTED, given.min_samples)
    if own_metric(given.metric, given.p, given.metric_params) is None:
        return distance_block_bytes(n, d, BY_LIBRARY) + 20 * n * k
    scanned = min(n * n // SCANNED_SHARE, max(TOGETHER * n, SCANNED_ENTRIES))
    walked = 8 * n * d + 12 * n * k + 17 * scanned
    return max(graph_bytes(n, d, k, exact=True), walked) + min(PACKED, 8 * n * min(d, PACKED_COLUMNS))


def _leiden(given: LeidenParameters, n: int, d: int) -> int:
    k = min(n, given.n_neighbors + 1)
    return max(graph_bytes(n, d, k), 4 * n * d + PER_LINK * n * k + LOOPS)


def _evoc(given: EvocParameters, n: int, d: int) -> int:
    k = given.n_neighbors + 1
    return max(graph_bytes(n, d, k) + 2 * MIB + 500 * n, 130 * n * k, PER_ROW * n)


def _auto(given: AutoParameters, n: int, d: int) -> int:
    """Return the most that any of its choices takes."""
    means = _kmeans(KmeansParameters(n_clusters=given.n_clusters or 8), n, d)
    if given.n_clusters is not None or n > MANY_ROWS:
        return means
    look = _hdbscan(HdbscanParameters(), min(n, LOOKED_AT), d)
    return max(look, _hdbscan(HdbscanParameters(), n, d), _leiden(LeidenParameters(), n, d)) + LOOKS


_FORMULAS: Mapping[type, Formula] = {
    KmeansParameters: cast("Formula", _kmeans),
    DbscanParameters: cast("Formula", _dbscan),
    HdbscanParameters: cast("Formula", _hdbscan),
    GaussianMixtureParameters: cast("Formula", _mixture),
    MeanShiftParameters: cast("Formula", _mean_shift),
    OpticsParameters: cast("Formula", _optics),
    LeidenParameters: cast("Formula", _leiden),
    EvocParameters: cast("Formula", _evoc),
    AutoParameters: cast("Formula", _auto),
}
