"""Makes a FAISS index of unit rows, writes it to bytes and maps it from a file again; on the GPU where there is one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.failures import DataCorrupt, MissingDependency

EXACT_UP_TO = 50_000
_BLOCK = 16_384
_TRAINING_ROUNDS = 10
_TRAINING_ROWS_A_LIST = 100
_SAMPLED_QUERIES = 200
_SAMPLED_NEIGHBOURS = 10
_GOOD_RECALL = 0.99
_FIRST_PROBES = 8
_WRITE_BLOCK = 1 << 20
_SEED = 1234


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIndex:
    """An index in memory. `recall` is measured: the share of the ten nearest of sampled rows that a search finds."""

    index: Any
    kind: str
    backend: str
    probes: int = 0
    recall: float = 1.0


def load_faiss() -> Any:
    """Import the library, which comes with an extra."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells each instruction set that it tries
    try:
        import faiss
    except ImportError as error:
        raise MissingDependency(
            "FAISS is not installed: install shoal[cpu] or shoal[gpu].", detail={"package": "faiss"}
        ) from error
    return faiss


def has_gpu() -> bool:
    """Say whether FAISS was built for CUDA and sees a device."""
    count = getattr(load_faiss(), "get_num_gpus", lambda: 0)
    return bool(count())


def build_index(
    vectors: npt.NDArray[np.float32], *, exact: bool, gpu: bool, progress: Callable[[float], None]
) -> BuiltIndex:
    """Return an index of (n, d) unit rows: all rows compared one by one, or lists of near rows when there are many.

    Comparing all is exact and takes 8 ms for 50,000 rows of 384 on one core. Beyond, sqrt(n) lists answer in under a
    millisecond; a graph (HNSW) would too, but takes sixteen times as long to build (27 s against 1.7 s for 100,000).
    """
    faiss = load_faiss()
    flat = faiss.IndexFlatIP(vectors.shape[1])
    if exact or len(vectors) <= EXACT_UP_TO:
        _add(flat, vectors, progress, start=0.0)
        return BuiltIndex(index=flat, kind="flat", backend="cpu")
    lists = round(len(vectors) ** 0.5)
    index = faiss.IndexIVFFlat(flat, vectors.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = _TRAINING_ROUNDS
    index.cp.spherical = True
    index.cp.seed = _SEED
    resources = faiss.StandardGpuResources() if gpu else None
    working = faiss.index_cpu_to_gpu(resources, 0, index) if gpu else index
    working.train(_sample(vectors, _TRAINING_ROWS_A_LIST * lists))
    progress(0.4)
    _add(working, vectors, progress, start=0.4)
    index = faiss.index_gpu_to_cpu(working) if gpu else index
    probes, recall = _enough_probes(index, vectors)
    return BuiltIndex(index=index, kind="ivf", backend="gpu" if gpu else "cpu", probes=probes, recall=recall)


def write_index(index: Any, write: Callable[[bytes], None]) -> None:
    """Hand the index's bytes to `write`, piece by piece; what `write` raises comes out."""
    faiss = load_faiss()
    faiss.write_index(index, faiss.PyCallbackIOWriter(write, _WRITE_BLOCK))


def map_index(path: str, *, probes: int) -> Any:
    """Open an index file without reading it into memory; the file may lose its name afterwards."""
    faiss = load_faiss()
    try:
        index = faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DataCorrupt("The FAISS file cannot be read.") from error
    if isinstance(index, faiss.IndexIVFFlat):
        index.nprobe = probes
        index.make_direct_map()
    return index


def _add(index: Any, vectors: npt.NDArray[np.float32], progress: Callable[[float], None], *, start: float) -> None:
    for at in range(0, len(vectors), _BLOCK):
        index.add(np.ascontiguousarray(vectors[at : at + _BLOCK]))
        progress(start + (1.0 - start) * min(1.0, (at + _BLOCK) / len(vectors)))


def _sample(vectors: npt.NDArray[np.float32], most: int) -> npt.NDArray[np.float32]:
    if len(vectors) <= most:
        return np.ascontiguousarray(vectors)
    chosen = np.random.default_rng(_SEED).choice(len(vectors), most, replace=False)
    return np.ascontiguousarray(vectors[np.sort(chosen)])


def _enough_probes(index: Any, vectors: npt.NDArray[np.float32]) -> tuple[int, float]:
    """Return how many lists a search must look into to find 99 of 100 true neighbours, and what it then finds."""
    queries = _sample(vectors, _SAMPLED_QUERIES)
    index.nprobe = index.nlist
    truth = index.search(queries, _SAMPLED_NEIGHBOURS)[1]
    index.nprobe = min(_FIRST_PROBES, index.nlist)
    while True:
        recall = _recall(index.search(queries, _SAMPLED_NEIGHBOURS)[1], truth)
        if recall >= _GOOD_RECALL or index.nprobe == index.nlist:
            return index.nprobe, recall
        index.nprobe = min(2 * index.nprobe, index.nlist)


def _recall(found: npt.NDArray[np.int64], truth: npt.NDArray[np.int64]) -> float:
    shared = sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True))
    return shared / truth.size
