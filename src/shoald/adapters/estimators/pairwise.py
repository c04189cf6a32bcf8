"""Metrics that Shoal does not compute itself, by scikit-learn's pairwise distances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from shoald.domain.clustering.parameters import SpectralParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Integers
from shoald.domain.failures import InvalidFields

SPELLINGS = {"infinity": "chebyshev", "p": "minkowski", "l1": "manhattan"}
OF_SETS = frozenset({"dice", "jaccard", "matching", "rogerstanimoto", "russellrao", "sokalsneath", "yule"})
"""They compare which entries are true."""


def library_distances(
    vectors: Floats, metric: str, p: float, options: Mapping[str, Any]
) -> Callable[[Integers], Doubles]:
    """Return what computes (rows, n) distances; what a metric learns from the data is learned from all rows, once."""
    from sklearn.metrics import pairwise_distances

    name = SPELLINGS.get(metric, metric)
    rows = vectors.astype(np.bool_) if name in OF_SETS else vectors.astype(np.float64)
    known = {"p": p, **options} if name == "minkowski" else dict(options)

    def block(ids: Integers) -> Doubles:
        return np.asarray(pairwise_distances(rows[ids], rows, metric=name, **known), dtype=np.float64)

    try:
        known = known or _learned(name, rows)
        found = block(np.arange(min(1, len(rows))))
    except (TypeError, ValueError, np.linalg.LinAlgError) as exc:
        raise InvalidFields.field(
            "metric", message=f"{metric} cannot measure these vectors: {exc}", value=metric
        ) from exc
    if not np.isfinite(found).all():
        raise InvalidFields.field("metric", message=f"{metric} gives no finite distance here", value=metric)
    return block


def _learned(name: str, rows: Any) -> dict[str, Any]:
    """Return what a metric learns from all rows where it is not given."""
    if name == "seuclidean":
        return {"V": np.var(rows, axis=0, ddof=1)}
    if name == "mahalanobis":
        return {"VI": np.linalg.inv(np.cov(rows.T)).T}
    return {}


def library_similarities(vectors: Floats, parameters: SpectralParameters) -> Callable[[Integers], Doubles]:
    """Return what computes (rows, n) similarities; a kernel takes of the parameters what it knows.

    Raises `InvalidFields`, and so does what is returned, where they are not finite numbers.
    """
    from sklearn.metrics.pairwise import pairwise_kernels

    rows = vectors.astype(np.float64)
    options = {"gamma": parameters.gamma, "degree": parameters.degree, "coef0": parameters.coef0}

    def block(ids: Integers) -> Doubles:
        try:
            with np.errstate(invalid="ignore", over="ignore"):  # seen below
                found = pairwise_kernels(rows[ids], rows, metric=parameters.affinity, filter_params=True, **options)
        except (TypeError, ValueError) as exc:
            raise _incomparable(parameters, str(exc)) from exc
        if not np.isfinite(found).all():
            raise _incomparable(parameters, "a similarity is no finite number; use a smaller gamma, or a whole degree")
        return np.asarray(found, dtype=np.float64)

    block(np.arange(min(1, len(rows))))
    return block


def _incomparable(parameters: SpectralParameters, why: str) -> InvalidFields:
    message = f"{parameters.affinity} cannot compare these vectors: {why}"
    return InvalidFields.field("affinity", message=message, value=parameters.affinity)
