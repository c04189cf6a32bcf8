"""Graph stages that compiled libraries do better than arrays; the protocol stands beside the algorithms it serves."""

from __future__ import annotations

from shoald.domain.clustering.estimators import Estimators

__all__ = ["Estimators"]
