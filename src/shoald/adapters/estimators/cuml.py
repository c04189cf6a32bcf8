"""RAPIDS cuML, where it is installed and its device answers: reductions that nothing of Shoal's own does on a device.

What cuML cannot do is said before any data moves: `refusal` names the reason, and the processor's library works then.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from shoald.domain.clustering.parameters import TsneParameters, UmapParameters
from shoald.domain.clustering.spaces import Floats, Step

UMAP_METRICS = frozenset(
    {"euclidean", "l2", "cosine", "manhattan", "l1", "cityblock", "chebyshev", "canberra", "correlation"}
)
TSNE_COMPONENTS = 2
"""cuML draws t-SNE into the plane only."""
ROWS_PER_NEIGHBOUR = 3
"""t-SNE looks at so many neighbours for each unit of perplexity."""


class CumlReductions:
    """cuML's UMAP and t-SNE on the current device."""

    def __init__(self) -> None:
        """Import the library; raises `ImportError` where it is missing or does not load."""
        self._manifold: Any = importlib.import_module("cuml.manifold")
        self.version = str(importlib.import_module("cuml").__version__)

    def refusal(self, parameters: UmapParameters | TsneParameters) -> str | None:
        """Say why cuML cannot do this, or None where it can; nothing is sent anywhere."""
        if isinstance(parameters, TsneParameters):
            if parameters.n_components == TSNE_COMPONENTS:
                return None
            return f"cuML draws t-SNE into {TSNE_COMPONENTS} dimensions, not {parameters.n_components}"
        return None if parameters.metric in UMAP_METRICS else f"cuML's UMAP has no metric {parameters.metric}"

    def umap(self, vectors: Floats, parameters: UmapParameters, step: Step) -> Floats:
        """Return the (n, n_components) layout; seeded, so that it repeats on one device and one version."""
        return self._fitted(
            self._manifold.UMAP(
                n_components=parameters.n_components,
                n_neighbors=min(parameters.n_neighbors, len(vectors) - 1),
                min_dist=parameters.min_dist,
                metric=parameters.metric,
                random_state=parameters.random_state,
                output_type="numpy",
            ),
            vectors,
            step,
        )

    def tsne(self, vectors: Floats, parameters: TsneParameters, step: Step) -> Floats:
        """Return the (n, 2) layout by Barnes and Hut's trees, seeded."""
        neighbours = max(1, min(len(vectors) - 1, int(ROWS_PER_NEIGHBOUR * parameters.perplexity)))
        return self._fitted(
            self._manifold.TSNE(
                n_components=parameters.n_components,
                perplexity=parameters.perplexity,
                learning_rate=parameters.learning_rate,
                learning_rate_method="none",
                n_neighbors=neighbours,
                method="barnes_hut",
                random_state=parameters.random_state,
                output_type="numpy",
            ),
            vectors,
            step,
        )

    @staticmethod
    def _fitted(reducer: Any, vectors: Floats, step: Step) -> Floats:
        step(0.0)
        found = np.ascontiguousarray(reducer.fit_transform(vectors), dtype=np.float32)
        step(1.0)
        return found


def find_cuml() -> CumlReductions | None:
    """Return cuML's reductions, or None where it is not installed or its own libraries do not load."""
    try:
        return CumlReductions()
    except (ImportError, OSError):
        return None
