"""FAISS files: damaged ones are refused, killed builds leave nothing, many rows are searched through lists."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.faiss import building
from shoald.adapters.faiss.index_files import has_gpu, write_index
from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.object_store.s3 import S3Location, S3ObjectStore
from shoald.domain.failures import DataCorrupt, InvalidIndexConfig, MissingFaissArtifact, StorageFull
from shoald.domain.index_config import IndexShape
from shoald.domain.json_types import JsonObject

_BUILDER = """
import sys
from pathlib import Path
import numpy as np
from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.object_store.s3 import S3Location, S3ObjectStore
index = FaissVectorIndex(LocalObjectStore(Path(sys.argv[1])))
rows = np.eye(512, dtype=np.float32).repeat(8, axis=0)
for number in range(10_000):
    index.build(f"b{number}", ["x"] * len(rows), rows, attempt=1, config={}, progress=lambda part: None)
    if number == 0:
        print("ready", flush=True)
"""


def _rows(n: int, d: int) -> npt.NDArray[np.float32]:
    chance = np.random.default_rng(5)
    centres = chance.standard_normal((50, d))
    rows = centres[chance.integers(0, 50, n)] + 0.7 * chance.standard_normal((n, d))
    unit: npt.NDArray[np.float32] = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _build(index: FaissVectorIndex, n: int, d: int = 16, **config: object) -> JsonObject:
    return index.build("b", ["x"] * n, _rows(n, d), attempt=1, config=config, progress=lambda _part: None)


def _file(root: Path, manifest: JsonObject) -> Path:
    return root / str(manifest["object"]["key"])


@pytest.mark.parametrize("kind", ["flat", "ivf", "hnsw"])
def test_every_flipped_bit_is_refused(tmp_path: Path, kind: str) -> None:
    """R32: what is not what was stored is not searched."""
    manifest = _build(FaissVectorIndex(LocalObjectStore(tmp_path)), 1_000, kind=kind)
    assert manifest["kind"] == kind
    path = _file(tmp_path, manifest)
    good = path.read_bytes()
    chance = random.Random(3)
    for _ in range(20):
        bad = bytearray(good)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(DataCorrupt):
            FaissVectorIndex(LocalObjectStore(tmp_path)).search(manifest, _rows(1, 16)[0], k=1)


def test_a_file_that_is_cut_off_or_gone_is_named(tmp_path: Path) -> None:
    manifest = _build(FaissVectorIndex(LocalObjectStore(tmp_path)), 100)
    path = _file(tmp_path, manifest)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataCorrupt):
        FaissVectorIndex(LocalObjectStore(tmp_path)).search(manifest, _rows(1, 16)[0], k=1)
    path.unlink()
    with pytest.raises(MissingFaissArtifact):
        FaissVectorIndex(LocalObjectStore(tmp_path)).search(manifest, _rows(1, 16)[0], k=1)


def test_bytes_that_are_no_index_are_refused_though_their_hash_is_right(tmp_path: Path) -> None:
    store = LocalObjectStore(tmp_path)
    manifest = dict(_build(FaissVectorIndex(store), 100))
    other = store.put("builds/other", b"no index")
    manifest["object"] = {"key": other.key, "sha256": other.sha256, "bytes": other.size}
    with pytest.raises(DataCorrupt):
        FaissVectorIndex(store).search(manifest, _rows(1, 16)[0], k=1)


def test_many_rows_are_found_through_lists_with_the_recall_that_the_manifest_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "EXACT_UP_TO", 1_000)
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    rows = _rows(5_000, 32)
    manifest = index.build("b", ["x"] * 5_000, rows, attempt=1, config={}, progress=lambda _part: None)
    assert manifest["kind"] == "ivf"
    assert manifest["measured_recall"] >= 0.99
    found = 0
    for query in rows[:100]:
        truth = set(np.argsort(-(rows @ query))[:10].tolist())
        hits, vectors = index.search(manifest, query, k=10, with_vectors=True)
        assert vectors is not None
        np.testing.assert_array_equal(vectors, rows[[hit.position for hit in hits]])
        found += len(truth & {hit.position for hit in hits})
    assert found >= 970


def test_a_search_for_many_looks_into_as_many_lists_as_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "EXACT_UP_TO", 1_000)
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    rows = _rows(5_000, 32)
    manifest = index.build("b", ["x"] * 5_000, rows, attempt=1, config={}, progress=lambda _part: None)
    assert len({hit.position for hit in index.search(manifest, rows[0], k=5_000)[0]}) == 5_000
    truth = set(np.argsort(-(rows @ rows[0]))[:1_000].tolist())
    found = {hit.position for hit in index.search(manifest, rows[0], k=1_000)[0]}
    assert len(found) == 1_000
    assert len(truth & found) >= 970


def test_a_file_in_s3_is_searched_elsewhere_and_goes_on_when_its_copy_is_gone(
    s3_location: S3Location, tmp_path: Path
) -> None:
    manifest = _build(FaissVectorIndex(S3ObjectStore(s3_location, tmp_path / "worker")), 1_000)
    server = FaissVectorIndex(S3ObjectStore(s3_location, tmp_path / "server"))
    query = _rows(1_000, 16)[7]
    assert server.search(manifest, query, k=1)[0][0].position == 7
    for copy in (tmp_path / "server" / "copies").iterdir():
        if copy.is_file():
            copy.unlink()
    assert server.search(manifest, query, k=1)[0][0].position == 7


def test_exact_may_be_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "EXACT_UP_TO", 10)
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    assert _build(index, 1_000, exact=True)["kind"] == "flat"
    with pytest.raises(InvalidIndexConfig, match="exact"):
        _build(index, 100, exact="yes")


def test_a_full_disk_is_named_and_the_build_before_is_served(small_disk: Path) -> None:
    store = LocalObjectStore(small_disk / "objects")
    index = FaissVectorIndex(store)
    rows = _rows(1_000, 128)
    before = index.build("old", ["x"] * 1_000, rows, attempt=1, config={}, progress=lambda _part: None)
    with pytest.raises(StorageFull):
        _build(index, 20_000, 128)
    assert [found.key for found in store.list("")] == [before["object"]["key"]]
    assert list((small_disk / "objects" / ".partial").iterdir()) == []
    assert FaissVectorIndex(store).search(before, rows[4], k=1)[0][0].position == 4


def test_only_so_many_indexes_stay_open(tmp_path: Path) -> None:
    index = FaissVectorIndex(LocalObjectStore(tmp_path), most_open=2)
    rows = _rows(10, 8)
    manifests = [
        index.build(f"b{n}", ["x"] * 10, rows, attempt=1, config={}, progress=lambda _part: None) for n in range(5)
    ]
    for manifest in manifests * 2:
        assert index.search(manifest, rows[0], k=1)[0][0].position == 0
    assert len(index._opened) == 2


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.nightly)])
def test_a_killed_build_leaves_whole_files_only(tmp_path: Path, kills: int) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    store = LocalObjectStore(tmp_path)
    whole = len(_whole_file())
    for _ in range(kills):
        child = subprocess.Popen([sys.executable, "-c", _BUILDER, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0.02, 0.2))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        sizes = [found.size for found in store.list("builds")]
        assert sizes
        assert set(sizes) == {whole}


def _whole_file() -> bytes:
    pieces: list[bytes] = []
    rows = np.eye(512, dtype=np.float32).repeat(8, axis=0)
    built = building.build_index(rows, IndexShape(), gpu=False, progress=lambda _part: None)
    write_index(built.index, pieces.append)
    return b"".join(pieces)


@pytest.mark.gpu
def test_a_gpu_builds_and_finds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not has_gpu():
        pytest.skip("FAISS counts no CUDA device")
    monkeypatch.setattr(building, "EXACT_UP_TO", 1_000)
    rows = _rows(20_000, 64)
    on_gpu = FaissVectorIndex(LocalObjectStore(tmp_path), use_gpu=True)
    on_cpu = FaissVectorIndex(LocalObjectStore(tmp_path))
    manifest = on_gpu.build("b", ["x"] * len(rows), rows, attempt=1, config={}, progress=lambda _part: None)
    assert manifest["backend"] == "gpu"
    for query in rows[:20]:
        ours, theirs = (one.search(manifest, query, k=10)[0] for one in (on_gpu, on_cpu))
        assert [hit.position for hit in ours] == [hit.position for hit in theirs]


def test_a_file_that_takes_long_to_open_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LocalObjectStore(tmp_path)
    index = FaissVectorIndex(store)
    slow, quick = (index.build(name, ["x"] * 10, _rows(10, 16), attempt=1, config={}, progress=print) for name in "sq")
    key = slow["object"]["key"]
    begun, copied, lend = threading.Event(), threading.Event(), store.local_copy
    asked: list[str] = []

    def late(wanted: str, sha256: str) -> AbstractContextManager[str]:
        asked.append(wanted)
        if wanted == key:
            begun.set()
            assert copied.wait(20)
        return lend(wanted, sha256)

    monkeypatch.setattr(store, "local_copy", late)
    row = _rows(1, 16)[0]
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(index.search, slow, row, k=1) for _ in range(2)]
        try:
            assert begun.wait(20)
            assert index.search(quick, row, k=1)[0]
        finally:
            copied.set()
        assert all(found.result()[0] for found in waiting)
    assert asked.count(key) == 1
