"""Compiled estimators behind the port `estimators`, one module a kind of hardware."""

from __future__ import annotations

from shoald.adapters.estimators.cpu import CpuEstimators
from shoald.adapters.estimators.gpu import GpuEstimators
from shoald.domain.clustering.array_backend import ArrayBackend


def estimators_for(arrays: ArrayBackend) -> CpuEstimators | GpuEstimators:
    """Return the estimators that go with an array backend."""
    return GpuEstimators(arrays=arrays) if arrays.name == "cupy" else CpuEstimators(arrays=arrays)
