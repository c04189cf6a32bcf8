"""The layout beside umap-learn on tens of thousands of real texts: one thread each, from the same exact graph."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from benchmarks._clustering import Report, Vectors, package_vectors
from benchmarks._sentences import sentence_vectors

Shape = tuple[int, int, float]
"""Dimensions, neighbours, min_dist."""
SHAPES: Mapping[int, Shape] = {2: (2, 15, 0.1), 10: (10, 30, 0.0), 50: (50, 30, 0.0)}
PARAGRAPHS, SENTENCES = 10_000, 100_000
LISTED = 32
QUERIES = 5_000
NEAREST = 15
_ROWS_AT_ONCE = 100
_WARMING = 5_000
"""umap-learn compiles another way for more than 4,096 rows."""


def compare(report: Report, sizes: Sequence[int], dimensions: Sequence[int]) -> None:
    """Add a table for each number of sentences."""
    with threadpool_limits(1):
        for n in sizes:
            vectors = real_text(n)
            graph, seconds = timed(lambda vectors=vectors: _exact(vectors))  # type: ignore[misc]
            report.say(f"\n{n} texts x {vectors.shape[1]}; the exact graph takes {seconds:.1f} processor seconds")
            report.head("dimensions", "method", "cpu s", "trustworthiness", "15 nearest kept")
            for shape in (SHAPES[d] for d in dimensions):
                _row_each(report, vectors, graph, shape)


def real_text(n: int) -> Vectors:
    """Return n real texts: paragraphs by the language model where it can do so many, else sentences by their words."""
    if n <= PARAGRAPHS:
        return np.ascontiguousarray(np.load(package_vectors(PARAGRAPHS))[:n])
    return np.ascontiguousarray(np.load(sentence_vectors(SENTENCES))[:: SENTENCES // n])


def _row_each(report: Report, vectors: Vectors, graph: Any, shape: Shape) -> None:
    found, seconds = {}, {}
    found["ours"], seconds["ours"] = timed(lambda: ours(vectors, graph, shape))
    _, compiling = timed(lambda: umap_learn(vectors[:_WARMING], _exact(vectors[:_WARMING]), shape, epochs=3))
    found["umap-learn"], seconds["umap-learn"] = timed(lambda: umap_learn(vectors, graph, shape))
    for name, (trust, kept) in quality(vectors, found).items():
        report.row(shape[0], name, f"{seconds[name]:.1f}", f"{trust:.4f}", f"{kept:.3f}")
    share = seconds["ours"] / seconds["umap-learn"]
    report.say(f"| {shape[0]} | share of its time | {share:.3f} | compiling and 5,000 rows: {compiling:.0f} s | |")


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the work gives, and its processor seconds."""
    began = time.process_time()
    return work(), time.process_time() - began


def ours(vectors: Vectors, graph: Any, shape: Shape) -> Vectors:
    """Lay out as a run does, the graph given."""
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.application.cluster_stages import ClusterTools, coordinates, input_space, preprocess
    from shoald.domain.clustering.parameters import UmapParameters

    arrays = ArrayLibraries().get("numpy")
    space = input_space(vectors)
    tools = ClusterTools(arrays=arrays, estimators=estimators_for(arrays), graphs={f"{space.key}-cosine": graph})
    if shape[2]:
        return coordinates(space, shape[0], tools=tools)
    asked = UmapParameters(n_components=shape[0], n_neighbors=shape[1], min_dist=shape[2])
    return preprocess(space, [asked], tools=tools).vectors


def umap_learn(vectors: Vectors, graph: Any, shape: Shape, epochs: int | None = None) -> Vectors:
    """Lay out by umap-learn, seeded, the graph given."""
    import umap

    near = graph.nearest(shape[1])
    model = umap.UMAP(
        n_components=shape[0],
        n_neighbors=shape[1],
        min_dist=shape[2],
        metric="cosine",
        n_epochs=epochs,
        random_state=42,
        n_jobs=1,
        precomputed_knn=(near.ids.astype(np.int32), near.distances.astype(np.float32)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that new points cannot be placed with a graph alone
        return np.asarray(model.fit_transform(vectors))


def _exact(vectors: Vectors) -> Any:
    from shoald.adapters.arrays import ArrayLibraries
    from shoald.adapters.estimators import estimators_for
    from shoald.domain.clustering.neighbour_graph import neighbour_graph

    found = estimators_for(ArrayLibraries().get("numpy")).candidates
    return neighbour_graph(vectors, LISTED, "cosine", candidates=found)


def quality(vectors: Vectors, layouts: Mapping[str, Vectors], queries: int = QUERIES) -> dict[str, tuple[float, float]]:
    """Return trustworthiness and the share of the nearest that are kept, of layouts of unit rows.

    Both by a fixed sample of the rows against all of them: the formula of `sklearn.manifold.trustworthiness`, whose
    table of all pairs would take 80 GB at 100,000 rows.
    """
    n = len(vectors)
    rows = np.sort(np.random.default_rng(7).choice(n, min(queries, n), replace=False))
    near = {name: _nearest(places, rows) for name, places in layouts.items()}
    late, kept = dict.fromkeys(layouts, 0), dict.fromkeys(layouts, 0)
    for at in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(at, at + _ROWS_AT_ONCE)
        cosines = vectors[rows[part]] @ vectors.T
        np.put_along_axis(cosines, rows[part, None], 2, axis=1)  # the row itself comes first
        ordered = np.sort(cosines, axis=1)
        for name, ids in near.items():
            ranks = _ranks(ordered, np.take_along_axis(cosines, ids[part], axis=1))
            late[name] += int(np.maximum(ranks - NEAREST, 0).sum())
            kept[name] += int((ranks <= NEAREST).sum())
    most = len(rows) * NEAREST * (2 * n - 3 * NEAREST - 1) / 2
    return {name: (1 - late[name] / most, kept[name] / (len(rows) * NEAREST)) for name in layouts}


def _ranks(ordered: Vectors, cosines: Vectors) -> npt.NDArray[np.int64]:
    """Return of which rank (1 is the nearest) a cosine is among the ascending ones of its row, the row itself 0."""
    pairs = zip(ordered, cosines, strict=True)
    above = np.stack([len(row) - np.searchsorted(row, values, side="right") for row, values in pairs])
    return np.asarray(np.maximum(above, 1))


def _nearest(places: Vectors, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=NEAREST + 1).fit(places)
    ids = search.kneighbors(places[rows], return_distance=False)
    others = ids != rows[:, None]
    others[others.all(axis=1), -1] = False
    return np.asarray(ids[others].reshape(len(rows), NEAREST))
