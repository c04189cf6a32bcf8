"""The vector indexes that keep the same promises; a real Qdrant too, when SHOAL_TEST_QDRANT_URL names its gRPC port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.pgvector.vector_index import PgvectorIndex
from shoald.adapters.qdrant.vector_index import QdrantVectorIndex
from shoald.application.ports.vector_index import VectorIndex
from support.fakes.vector_index import MemoryVectorIndex
from support.qdrant_owner import OwnerProcess, owner_process

_REAL_SERVER = os.environ.get("SHOAL_TEST_QDRANT_URL")
_KINDS = ["memory", "faiss", "pgvector", "qdrant-owner", *(["qdrant-server"] if _REAL_SERVER else [])]


@pytest.fixture(scope="session")
def qdrant_owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnerProcess]:
    with owner_process(tmp_path_factory.mktemp("owner")) as owner:
        yield owner


@pytest.fixture(params=_KINDS)
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    if request.param == "memory":
        yield MemoryVectorIndex()
    elif request.param == "faiss":
        yield FaissVectorIndex(LocalObjectStore(tmp_path))
    elif request.param == "pgvector":
        with closing(PgvectorIndex(request.getfixturevalue("postgres_url"))) as tables:
            yield tables
    else:
        url = _REAL_SERVER if request.param == "qdrant-server" else request.getfixturevalue("qdrant_owner").url
        assert url is not None
        with closing(QdrantVectorIndex(url)) as qdrant:
            yield qdrant
