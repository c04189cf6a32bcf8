"""The object stores that keep the same promises: in memory, in a directory, in S3 (moto's server, over real HTTP)."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.object_store.s3 import S3ObjectStore
from shoald.application.ports.object_store import ObjectStore
from support.fakes.object_store import MemoryObjectStore


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryObjectStore()
    if request.param == "local":
        return LocalObjectStore(tmp_path / "objects")
    return S3ObjectStore(request.getfixturevalue("s3_location"), tmp_path / "cache")
