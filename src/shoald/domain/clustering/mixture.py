"""Vectors in, a mixture of normal distributions out: expectation and maximisation in blocks of products.

The density of a component needs (x - mean) times the Cholesky factor of its precision, as in scikit-learn; here rows go
through in blocks, so that memory does not grow with their number, and responsibilities are never kept for all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg

from shoald.domain.clustering.array_backend import Array, ArrayBackend
from shoald.domain.clustering.parameters import GaussianMixtureParameters
from shoald.domain.clustering.spaces import Doubles, Floats, Integers, Step, no_step
from shoald.domain.failures import InvalidVectors

BLOCK_ENTRIES = 4_000_000
TINY = 10 * np.finfo(np.float64).eps


@dataclass(frozen=True, slots=True)
class Mixture:
    """k components in d dimensions: weights (k,), means (k, d), and what turns a gap into a density.

    `factors` are Cholesky factors of the precisions: (k, d, d) for `full`, (d, d) for `tied`, (k, d) for `diag`, (k,)
    for `spherical`.
    """

    kind: str
    weights: Doubles
    means: Doubles
    factors: Doubles

    def log_densities(self, rows: Array, backend: ArrayBackend) -> Array:
        """Return (rows, k) logarithms of weight times density of (rows, d) float64. O(rows k d²) for `full`."""
        d = self.means.shape[1]
        if self.kind in {"full", "tied"}:
            squares = backend.xp.stack([self._turned(rows, k, backend) for k in range(len(self.means))], axis=1)
        else:
            squares = self._by_axis(rows, backend)
        constant = np.log(np.maximum(self.weights, 1e-300)) + self._log_determinants() - d * np.log(2 * np.pi) / 2
        return backend.send(constant)[None, :] - squares / 2

    def _turned(self, rows: Array, k: int, backend: ArrayBackend) -> Array:
        gaps = rows - backend.send(self.means[k])[None, :]
        factor = self.factors[k] if self.kind == "full" else self.factors
        scaled = gaps @ backend.send(np.ascontiguousarray(factor))
        return backend.xp.sum(scaled * scaled, axis=1)

    def _by_axis(self, rows: Array, backend: ArrayBackend) -> Array:
        """Multiply out the squared gaps: two products for all components. Rows and means go less their middle first,
        so that what cancels is small.
        """
        middle = self.weights @ self.means
        rows, means = rows - backend.send(middle)[None, :], self.means - middle
        precisions = np.broadcast_to(np.square(self.factors).reshape(len(means), -1), means.shape)
        own = backend.send(np.einsum("ij,ij->i", means * means, precisions))
        squares = (rows * rows) @ backend.send(np.ascontiguousarray(precisions.T))
        squares = squares - 2 * (rows @ backend.send(np.ascontiguousarray((means * precisions).T))) + own[None, :]
        return backend.xp.where(squares > 0, squares, backend.xp.zeros_like(squares))

    def _log_determinants(self) -> Doubles:
        d = self.means.shape[1]
        if self.kind == "full":
            return np.asarray(np.log(np.diagonal(self.factors, axis1=1, axis2=2)).sum(axis=1))
        if self.kind == "tied":
            return np.full(len(self.means), np.log(np.diagonal(self.factors)).sum())
        if self.kind == "diag":
            return np.asarray(np.log(self.factors).sum(axis=1))
        return np.asarray(d * np.log(self.factors))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted mixture; (n,) labels and how sure they are; the mean log-likelihood of a row."""

    mixture: Mixture
    labels: Integers
    certainty: Floats
    likelihood: float
    iterations: int
    converged: bool


@dataclass(frozen=True, slots=True)
class _Sums:
    """What responsibilities add up to: (k,) counts, (k, d) sums of rows less their middle, second moments of the same,
    the likelihood.
    """

    counts: Doubles
    sums: Doubles
    seconds: Doubles
    likelihood: float


def first_mixture(
    vectors: Floats, responsibilities: Doubles, parameters: GaussianMixtureParameters, *, backend: ArrayBackend
) -> Mixture:
    """Return the mixture that given (n, k) responsibilities make likeliest."""
    search = _Search(vectors, parameters, backend)
    return search.maximised(search.sums(given=responsibilities))


def fit_mixture(
    vectors: Floats,
    start: Mixture,
    parameters: GaussianMixtureParameters,
    *,
    backend: ArrayBackend,
    step: Step = no_step,
) -> Fit:
    """Iterate from a first mixture until the likelihood rests.

    Raises `InvalidVectors` where a covariance cannot be inverted: too few rows for it, and too little `reg_covar`.
    O(iterations · n k d²) for `full` and `tied`, O(n k d) for the rest.
    """
    search = _Search(vectors, parameters, backend)
    mixture, likelihood, converged, iteration = start, -np.inf, False, 0
    for iteration in range(1, parameters.max_iter + 1):
        found = search.sums(mixture)
        mixture = search.maximised(found)
        converged = abs(found.likelihood - likelihood) < parameters.tol
        likelihood = found.likelihood
        step(iteration / parameters.max_iter)
        if converged:
            break
    labels, certainty = search.assigned(mixture)
    step(1.0)
    return Fit(
        mixture=mixture,
        labels=labels,
        certainty=certainty,
        likelihood=likelihood,
        iterations=iteration,
        converged=converged,
    )


def factors_of(kind: str, covariances: Doubles) -> Doubles:
    """Return the Cholesky factors of the precisions of covariances. Raises `InvalidVectors` where there are none."""
    if kind in {"diag", "spherical"}:
        if (covariances <= 0).any():
            raise InvalidVectors(_collapsed())
        return np.asarray(1 / np.sqrt(covariances))
    try:
        if kind == "tied":
            return _factor(covariances)
        return np.stack([_factor(one) for one in covariances])
    except linalg.LinAlgError as exc:
        raise InvalidVectors(_collapsed()) from exc


def _collapsed() -> str:
    return "a component's covariance cannot be inverted: fewer components, a larger reg_covar, or covariance_type diag"


def _factor(covariance: Doubles) -> Doubles:
    lower = linalg.cholesky(covariance, lower=True)
    return np.asarray(linalg.solve_triangular(lower, np.eye(len(lower)), lower=True).T)


class _Search:
    def __init__(self, vectors: Floats, parameters: GaussianMixtureParameters, backend: ArrayBackend) -> None:
        self.vectors, self.backend = vectors, backend
        self.kind, self.ridge = parameters.covariance_type, parameters.reg_covar
        n, d = vectors.shape
        self.block = max(64, min(n, BLOCK_ENTRIES // max(d, parameters.n_components)))
        # moments are taken around it: around the origin, rows far from it would leave nothing of small variances
        self.middle = vectors.mean(axis=0, dtype=np.float64)
        self.second: Doubles | None = None

    def sums(self, mixture: Mixture | None = None, given: Doubles | None = None) -> _Sums:
        """Go through the rows once: the responsibilities that a mixture gives them, or given ones, and their sums."""
        total: _Sums | None = None
        middle = self.backend.send(self.middle)[None, :]
        for at in range(0, len(self.vectors), self.block):
            rows = self.backend.send(self.vectors[at : at + self.block].astype(np.float64))
            if mixture is None:
                assert given is not None
                shares, likelihood = self.backend.send(given[at : at + self.block]), 0.0
            else:
                shares, likelihood = self._shares(mixture, rows)
            part = self._moments(rows - middle, shares, likelihood)
            total = part if total is None else _added(total, part)
        assert total is not None
        return _Sums(total.counts, total.sums, total.seconds, total.likelihood / len(self.vectors))

    def _shares(self, mixture: Mixture, rows: Array) -> tuple[Array, float]:
        xp = self.backend.xp
        logs = mixture.log_densities(rows, self.backend)
        largest = xp.max(logs, axis=1)
        shares = xp.exp(logs - largest[:, None])
        whole = xp.sum(shares, axis=1)
        return shares / whole[:, None], float(xp.sum(xp.log(whole) + largest))

    def _moments(self, rows: Array, shares: Array, likelihood: float) -> _Sums:
        fetch, xp = self.backend.fetch, self.backend.xp
        if self.kind == "full":
            each = [(rows * shares[:, k][:, None]).T @ rows for k in range(shares.shape[1])]
            seconds = fetch(xp.stack(each))
        elif self.kind == "tied":
            seconds = fetch(rows.T @ rows)
        else:
            seconds = fetch(shares.T @ (rows * rows))
        return _Sums(fetch(xp.sum(shares, axis=0)), fetch(shares.T @ rows), seconds, likelihood)

    def maximised(self, found: _Sums) -> Mixture:
        """Return the mixture that the sums make likeliest."""
        counts = found.counts + TINY
        means = found.sums / counts[:, None]
        d = means.shape[1]
        if self.kind == "full":
            covariances = found.seconds / counts[:, None, None] - means[:, :, None] * means[:, None, :]
            covariances[:, np.arange(d), np.arange(d)] += self.ridge
        elif self.kind == "tied":
            covariances = (found.seconds - (means * counts[:, None]).T @ means) / counts.sum()
            covariances[np.arange(d), np.arange(d)] += self.ridge
        else:
            covariances = np.maximum(found.seconds / counts[:, None] - means**2, 0) + self.ridge
            covariances = covariances if self.kind == "diag" else covariances.mean(axis=1)
        return Mixture(self.kind, counts / counts.sum(), means + self.middle, factors_of(self.kind, covariances))

    def assigned(self, mixture: Mixture) -> tuple[Integers, Floats]:
        n = len(self.vectors)
        labels, certainty = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.float32)
        for at in range(0, n, self.block):
            rows = self.backend.send(self.vectors[at : at + self.block].astype(np.float64))
            shares = self.backend.fetch(self._shares(mixture, rows)[0])
            labels[at : at + self.block] = shares.argmax(axis=1)
            certainty[at : at + self.block] = shares.max(axis=1)
        return labels, certainty


def _added(left: _Sums, right: _Sums) -> _Sums:
    return _Sums(*(getattr(left, name) + getattr(right, name) for name in ("counts", "sums", "seconds", "likelihood")))


def given_array(values: Any, shape: tuple[int, ...]) -> Doubles | None:
    """Return nested lists as an array of that shape, or None where they are not one."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.shape == shape and np.isfinite(array).all() else None
