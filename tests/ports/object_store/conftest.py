"""The object stores that keep the same promises: in memory, a directory, S3 (moto over HTTP; nightly SeaweedFS)."""

from __future__ import annotations

from pathlib import Path

import pytest

from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.object_store.s3 import S3ObjectStore
from shoald.application.ports.object_store import ObjectStore
from support.fakes.object_store import MemoryObjectStore


@pytest.fixture(params=["memory", "local", "s3", pytest.param("seaweed", marks=pytest.mark.nightly)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryObjectStore()
    if request.param == "local":
        return LocalObjectStore(tmp_path / "objects")
    location = request.getfixturevalue("s3_location" if request.param == "s3" else "seaweed_location")
    return S3ObjectStore(location, tmp_path / "cache")
