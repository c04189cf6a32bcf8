"""A Gaussian mixture of a space: the likeliest component of each row, and how sure that is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.kmeans import kmeans, spread_rows
from shoald.domain.clustering.mixture import Fit, Mixture, factors_of, first_mixture, fit_mixture, given_array
from shoald.domain.clustering.parameters import GaussianMixtureParameters, KmeansParameters
from shoald.domain.clustering.spaces import Doubles, Grouping, Space, Step, no_step
from shoald.domain.clustering.tools import ClusterTools, drawn, shares
from shoald.domain.failures import InvalidFields, NotEnoughPoints

THIN = 5
"""With fewer rows a component than so many times the dimensions, a full covariance fits the noise."""
SUM_SLACK = 1e-6


def group_by_mixture(
    space: Space, parameters: GaussianMixtureParameters, *, tools: ClusterTools, step: Step = no_step
) -> Grouping:
    """Fit a mixture of `n_components` and give each row its likeliest component.

    `n_init` starts, the likeliest kept. Raises `NotEnoughPoints` with fewer rows than components or than two,
    `InvalidVectors` where a covariance collapses, `InvalidFields` for first values of a wrong shape.
    """
    n, k = len(space), parameters.n_components
    if n < max(k, 2):
        raise NotEnoughPoints(f"gaussian_mixture needs at least {max(k, 2)} vectors; there are {n}")
    seed = drawn(parameters.random_state)
    given = _given(parameters, space.vectors.shape[1])
    best: Fit | None = None
    for at in range(parameters.n_init):
        part = shares(step, at / parameters.n_init, (at + 1) / parameters.n_init)
        fit = _fitted(space, parameters, given, seed + at, tools, part)
        if best is None or fit.likelihood > best.likelihood:
            best = fit
    assert best is not None
    labels, old = by_size(best.labels)
    notes = {
        "log_likelihood": best.likelihood,
        "iterations": best.iterations,
        "converged": best.converged,
        "weights": best.mixture.weights[old].round(6).tolist(),
    }
    effective = {**asdict(parameters), "random_state": seed}
    return Grouping(
        labels=labels,
        probabilities=best.certainty,
        effective=effective,
        notes=notes,
        warnings=_advice(space, parameters, best),
    )


def _fitted(
    space: Space,
    parameters: GaussianMixtureParameters,
    given: dict[str, Doubles],
    seed: int,
    tools: ClusterTools,
    step: Step,
) -> Fit:
    first = _responsibilities(space, parameters, seed, tools)
    # one step from the first responsibilities gives the mixture whose parts may be given instead
    begun = first_mixture(space.vectors, first, parameters, backend=tools.arrays)
    mixture = Mixture(
        begun.kind,
        given.get("weights_init", begun.weights),
        given.get("means_init", begun.means),
        given.get("precisions_init", begun.factors),
    )
    return fit_mixture(space.vectors, mixture, parameters, backend=tools.arrays, step=step)


def _responsibilities(space: Space, parameters: GaussianMixtureParameters, seed: int, tools: ClusterTools) -> Doubles:
    """Return (n, k) first responsibilities: of k-means groups, random ones, or k rows."""
    n, k = len(space), parameters.n_components
    random = np.random.default_rng(seed)
    if parameters.init_params == "random":
        drawn_shares = random.random((n, k))
        return np.asarray(drawn_shares / drawn_shares.sum(axis=1, keepdims=True))
    first = np.zeros((n, k))
    if parameters.init_params == "kmeans" or k == 1:
        labels = np.zeros(n, dtype=np.int64)
        if k > 1:
            labels = kmeans(space.vectors, KmeansParameters(n_clusters=k, n_init=1), seed, backend=tools.arrays).labels
        first[np.arange(n), labels] = 1
    elif parameters.init_params == "k-means++":
        first[spread_rows(space.vectors, k, seed, backend=tools.arrays), np.arange(k)] = 1
    else:
        first[random.choice(n, k, replace=False), np.arange(k)] = 1
    return first


def _given(parameters: GaussianMixtureParameters, d: int) -> dict[str, Doubles]:
    """Return the first values that were given, checked and as factors."""
    k, kind = parameters.n_components, parameters.covariance_type
    precisions = {"full": (k, d, d), "tied": (d, d), "diag": (k, d), "spherical": (k,)}[kind]
    shapes: dict[str, tuple[int, ...]] = {"weights_init": (k,), "means_init": (k, d), "precisions_init": precisions}
    found: dict[str, Doubles] = {}
    for name, shape in shapes.items():
        values = getattr(parameters, name)
        if values is None:
            continue
        array = given_array(values, shape)
        if array is None or not _fits(name, kind, array):
            raise InvalidFields.field(
                name, message=f"must be finite numbers of shape {shape}{_rule(name)}", value=values
            )
        found[name] = array
    if "precisions_init" in found:
        found["precisions_init"] = _precision_factors(kind, found["precisions_init"])
    return found


def _fits(name: str, kind: str, array: Doubles) -> bool:
    if name == "weights_init":
        return bool((array >= 0).all() and abs(array.sum() - 1) < SUM_SLACK)
    if name == "precisions_init" and kind in {"full", "tied"}:
        turned = np.swapaxes(array, -1, -2)
        return np.allclose(array, turned) and bool((np.linalg.eigvalsh(array) > 0).all())
    return name != "precisions_init" or bool((array > 0).all())


def _rule(name: str) -> str:
    return {"weights_init": ", at least 0, with the sum 1", "precisions_init": ", symmetric and positive"}.get(name, "")


def _precision_factors(kind: str, precisions: Any) -> Doubles:
    if kind in {"diag", "spherical"}:
        return factors_of(kind, 1 / precisions)
    return factors_of(kind, np.linalg.inv(precisions))


def _advice(space: Space, parameters: GaussianMixtureParameters, fit: Fit) -> tuple[str, ...]:
    n, d = space.vectors.shape
    warnings = []
    if not fit.converged:
        warnings.append(f"the mixture did not converge in max_iter = {parameters.max_iter} iterations")
    if parameters.covariance_type == "full" and n < THIN * d * parameters.n_components:
        warnings.append(
            f"{n / parameters.n_components:.0f} rows a component are few for a full covariance of {d} dimensions: "
            "reduce the dimensions first, or use covariance_type diag"
        )
    return tuple(warnings)
