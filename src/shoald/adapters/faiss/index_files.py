"""Finds the FAISS library, writes an index as bytes, and maps one from a file again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from shoald.domain.failures import DataCorrupt, MissingDependency

_WRITE_BLOCK = 1 << 20


@cache
def load_faiss() -> Any:
    """Import the library, which comes with an extra."""
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)  # it tells each instruction set that it tries
    try:
        import faiss
    except ImportError as error:
        raise MissingDependency(
            "FAISS is not installed: install shoal[cpu] or shoal[gpu-cu12].", detail={"package": "faiss"}
        ) from error
    return faiss


def has_gpu() -> bool:
    """Say whether FAISS was built for CUDA and sees a device."""
    count = getattr(load_faiss(), "get_num_gpus", lambda: 0)
    return bool(count())


def write_index(index: Any, write: Callable[[bytes], None]) -> None:
    """Hand the index's bytes to `write`, piece by piece; what `write` raises comes out."""
    faiss = load_faiss()
    faiss.write_index(index, faiss.PyCallbackIOWriter(write, _WRITE_BLOCK))


def map_index(path: str, *, effort: int) -> Any:
    """Open an index file without reading it into memory; the file may lose its name afterwards.

    `effort` is how many lists or nodes an ordinary search looks at, 0 where all rows are compared.
    """
    faiss = load_faiss()
    try:
        index = faiss.read_index(path, faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise DataCorrupt("The FAISS file cannot be read.") from error
    if isinstance(index, faiss.IndexIVFFlat):
        index.nprobe = effort
        index.make_direct_map()
    elif isinstance(index, faiss.IndexHNSW):
        index.hnsw.efSearch = effort
    return index
