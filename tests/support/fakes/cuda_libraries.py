"""FAISS and cuML as if they were built for CUDA and saw a device: they take what the real ones take, and note it."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest


class FaissOnDevice:
    """`faiss` with a number of devices; `asked` counts the indexes made on one."""

    def __init__(self, devices: int = 1) -> None:
        import faiss

        self._real = faiss
        self.asked = 0
        self.get_num_gpus = lambda: devices
        self.StandardGpuResources = SimpleNamespace

    def GpuIndexFlatL2(self, _resources: object, d: int) -> Any:  # noqa: N802 - the library's name
        self.asked += 1
        return self._real.IndexFlatL2(d)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class CumlUmap:
    """`cuml.manifold.UMAP`: refuses a metric that the real one lacks; umap-learn works behind it."""

    made: list[dict[str, Any]] = []  # noqa: RUF012 - emptied by `install`

    def __init__(self, *, output_type: str, **given: Any) -> None:
        if given["metric"] == "braycurtis":
            raise ValueError("metric not supported")
        assert output_type == "numpy"
        self._given = given
        self.made.append(given)

    def fit_transform(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        import umap

        return np.asarray(umap.UMAP(**self._given, n_jobs=1, init="pca").fit_transform(vectors))


class CumlTsne:
    """`cuml.manifold.TSNE`: into two dimensions only; scikit-learn works behind it."""

    made: list[dict[str, Any]] = []  # noqa: RUF012 - emptied by `install`

    def __init__(self, *, output_type: str, learning_rate_method: str, n_neighbors: int, **given: Any) -> None:
        if given["n_components"] != 2:
            raise ValueError("only 2 components")
        assert (output_type, learning_rate_method) == ("numpy", "none")
        self._given, self._neighbours = given, n_neighbors
        self.made.append(given)

    def fit_transform(self, vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        from sklearn.manifold import TSNE

        assert self._neighbours < len(vectors)
        return np.asarray(TSNE(**self._given, max_iter=250, n_jobs=1).fit_transform(vectors))


def install(monkeypatch: pytest.MonkeyPatch) -> FaissOnDevice:
    """Put FAISS, cuML and a CuPy that has a version in the place of what is installed; return FAISS."""
    CumlUmap.made.clear()
    CumlTsne.made.clear()
    cuml, manifold, cupy = ModuleType("cuml"), ModuleType("cuml.manifold"), ModuleType("cupy")
    vars(cuml).update(__version__="26.06.00", manifold=manifold)
    vars(manifold).update(UMAP=CumlUmap, TSNE=CumlTsne)
    vars(cupy).update(__version__="14.2.0")
    faiss = FaissOnDevice()
    for name, module in (("cuml", cuml), ("cuml.manifold", manifold), ("cupy", cupy), ("faiss", faiss)):
        monkeypatch.setitem(sys.modules, name, module)
    return faiss
