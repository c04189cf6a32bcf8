"""The names of distances: those that Shoal computes itself, and those that a library computes for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWN_METRICS = ("euclidean", "l2", "cosine")
"""Computed by Shoal on every backend."""

LIBRARY_METRICS = (
    *("manhattan", "l1", "cityblock", "chebyshev", "infinity", "canberra", "braycurtis", "correlation"),
    *("minkowski", "p", "sqeuclidean", "seuclidean", "mahalanobis", "hamming", "haversine", "nan_euclidean"),
    *("dice", "jaccard", "matching", "rogerstanimoto", "russellrao", "sokalsneath", "yule"),
)
"""Computed by scikit-learn, block after block; those of sets read every entry but 0 as true."""

TREE_METRICS = ("manhattan", "l1", "cityblock", "chebyshev", "infinity", "canberra", "braycurtis")
"""Those for which a library has spanning trees that cut space."""

METRICS = (*OWN_METRICS, *LIBRARY_METRICS)
"""Every metric of scikit-learn that needs vectors alone; `precomputed` and functions need more."""

UMAP_METRICS = ("manhattan", "l1", "cityblock", "chebyshev", "canberra", "braycurtis", "correlation")
"""Those in which umap-learn reduces; for the others the lists of neighbours are made of all distances."""

POWERED = ("minkowski", "p")
"""Those that take a power."""

METRIC_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(POWERED, ("p", "w")),
    "seuclidean": ("V",),
    "mahalanobis": ("VI",),
    **dict.fromkeys(("chebyshev", "infinity", "canberra", "braycurtis", "correlation", "sqeuclidean"), ("w",)),
    **dict.fromkeys(("hamming", "dice", "jaccard", "matching", "rogerstanimoto", "russellrao"), ("w",)),
    **dict.fromkeys(("sokalsneath", "yule"), ("w",)),
}
"""What `metric_params` may hold, by metric; the others take nothing."""

KERNEL_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("rbf", "laplacian", "chi2"), ("gamma",)),
    **dict.fromkeys(("poly", "polynomial"), ("gamma", "degree", "coef0")),
    "sigmoid": ("gamma", "coef0"),
    **dict.fromkeys(("cosine", "linear", "additive_chi2"), ()),
}
"""Similarities that a spectral grouping can start from, beside the neighbour graph, and the numbers that each takes."""


def own_metric(metric: str, p: float = 2.0, options: Mapping[str, Any] | None = None) -> str | None:
    """Return `euclidean` or `cosine` when Shoal's own products compute this metric, else None; they take no options.

    >>> own_metric("minkowski"), own_metric("minkowski", 1.0), own_metric("l2"), own_metric("cosine")
    ('euclidean', None, 'euclidean', 'cosine')
    >>> own_metric("minkowski", options={"w": [1, 2]})
    """
    if options:
        return None
    if metric in {"euclidean", "l2"} or (metric in {"minkowski", "p"} and p == 2):  # noqa: PLR2004 - the power two
        return "euclidean"
    return "cosine" if metric == "cosine" else None
