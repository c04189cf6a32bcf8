"""The vector indexes that keep the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.application.ports.vector_index import VectorIndex
from support.fakes.vector_index import MemoryVectorIndex


@pytest.fixture(params=["memory", "faiss"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> VectorIndex:
    if request.param == "memory":
        return MemoryVectorIndex()
    return FaissVectorIndex(LocalObjectStore(tmp_path))
