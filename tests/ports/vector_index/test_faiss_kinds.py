"""Kinds of FAISS indexes: given or chosen, with and without a filter, held against comparing all rows."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.faiss import building, opened_index, vector_index
from shoald.adapters.faiss.index_files import load_faiss
from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.domain.failures import InvalidIndexConfig
from shoald.domain.json_types import JsonObject
from support.vectors import texture

_N, _D = 6_000, 48
_KINDS: dict[str, dict[str, object]] = {
    "flat": {"kind": "flat"},
    "hnsw": {"kind": "hnsw"},
    "ivf": {"kind": "ivf"},
    "auto": {},
}


@pytest.fixture(autouse=True)
def lower_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "EXACT_UP_TO", 1_000)
    monkeypatch.setattr(opened_index, "_COMPARED_ONE_BY_ONE", 400)


@pytest.fixture(scope="module")
def rows() -> npt.NDArray[np.float32]:
    return texture(_N, _D, seed=4)


@pytest.fixture(scope="module")
def queries() -> npt.NDArray[np.float32]:
    return texture(60, _D, seed=9)


def _build(index: FaissVectorIndex, rows: npt.NDArray[np.float32], **config: object) -> JsonObject:
    return index.build("b", ["x"] * len(rows), rows, attempt=1, config=config, progress=lambda _part: None)


def _recall(
    index: FaissVectorIndex,
    manifest: JsonObject,
    rows: npt.NDArray[np.float32],
    queries: npt.NDArray[np.float32],
    allowed: npt.NDArray[np.int64] | None = None,
) -> float:
    among = np.arange(len(rows)) if allowed is None else allowed
    found = 0
    for query in queries:
        truth = among[np.argsort(-(rows[among] @ query))[:10]]
        hits, vectors = index.search(manifest, query, k=10, with_vectors=True, allowed=allowed)
        positions = [hit.position for hit in hits]
        assert len(set(positions)) == min(10, len(among))
        assert set(positions) <= set(among.tolist())
        assert vectors is not None
        np.testing.assert_array_equal(vectors, rows[positions])
        found += len(set(positions) & set(truth.tolist()))
    return found / (min(10, len(among)) * len(queries))


def _filters() -> dict[str, npt.NDArray[np.int64]]:
    chance = np.random.default_rng(6)
    return {
        "2 %": np.sort(chance.choice(_N, _N // 50, replace=False)),
        "10 %": np.sort(chance.choice(_N, _N // 10, replace=False)),
        "half": np.sort(chance.choice(_N, _N // 2, replace=False)),
        "all but a few": np.arange(3, _N),
        "one": np.array([17]),
    }


@pytest.mark.parametrize("kind", _KINDS)
def test_the_nearest_are_found_with_and_without_a_filter(
    tmp_path: Path, kind: str, rows: npt.NDArray[np.float32], queries: npt.NDArray[np.float32]
) -> None:
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    manifest = _build(index, rows, **_KINDS[kind])
    assert manifest["kind"] == ("ivf" if kind == "auto" else kind)
    assert manifest["measured_recall"] >= 0.99
    assert _recall(index, manifest, rows, queries) >= 0.98
    for allowed in _filters().values():
        assert _recall(index, manifest, rows, queries[:20], allowed) >= 0.98


@pytest.mark.parametrize("kind", _KINDS)
def test_a_filter_that_keeps_only_what_is_far_from_the_query_is_answered_all_the_same(
    tmp_path: Path, kind: str, rows: npt.NDArray[np.float32]
) -> None:
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    manifest = _build(index, rows, **_KINDS[kind])
    farthest = np.sort(np.argsort(rows @ rows[5])[: _N // 8])
    assert _recall(index, manifest, rows, rows[5:6], farthest) >= 0.9
    assert len(index.search(manifest, rows[5], k=2_000, allowed=farthest)[0]) == len(farthest)
    assert index.search(manifest, rows[5], k=5, allowed=np.empty(0, np.int64)) == ([], None)


def test_numbers_that_are_given_are_kept_and_shown(tmp_path: Path, rows: npt.NDArray[np.float32]) -> None:
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    lists = _build(index, rows, ivf_lists=20, ivf_probes=3)
    assert (lists["kind"], lists["ivf_lists"], lists["ivf_probes"], lists["effort"]) == ("ivf", 20, 3, 3)
    assert 0 < lists["measured_recall"] < 0.99
    graph = _build(index, rows[:1_500], hnsw_m=8, hnsw_ef_construction=20, hnsw_ef_search=12.0)
    assert (graph["kind"], graph["hnsw_m"], graph["hnsw_ef_construction"], graph["hnsw_ef_search"]) == (
        "hnsw",
        8,
        20,
        12,
    )
    assert len(index.search(graph, rows[0], k=300)[0]) == 300


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"kind": "trees"}, "kind"),
        ({"kind": 5}, "kind"),
        ({"hnsw_m": 3}, "hnsw_m"),
        ({"hnsw_m": 16.5}, "hnsw_m"),
        ({"hnsw_m": True}, "hnsw_m"),
        ({"hnsw_ef_search": "many"}, "hnsw_ef_search"),
        ({"hnsw_ef_construction": 2_001}, "hnsw_ef_construction"),
        ({"ivf_lists": 0}, "ivf_lists"),
        ({"ivf_lists": 101}, "ivf_lists"),
        ({"kind": "flat", "ivf_lists": 5}, "ivf_lists"),
        ({"kind": "hnsw", "ivf_probes": 5}, "ivf_probes"),
        ({"hnsw_m": 8, "ivf_probes": 5}, "ivf_probes"),
        ({"exact": True, "kind": "ivf"}, "exact"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(tmp_path: Path, config: dict[str, object], field: str) -> None:
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    with pytest.raises(InvalidIndexConfig) as caught:
        _build(index, texture(100, 8), **config)
    assert caught.value.detail["field"] == field
    assert f"config.{field}" in caught.value.message


def test_a_few_rows_may_be_a_graph_or_lists_too(tmp_path: Path) -> None:
    index = FaissVectorIndex(LocalObjectStore(tmp_path))
    for n in (1, 2, 30):
        rows = texture(max(n, 2), 8)[:n]
        for kind in ("hnsw", "ivf"):
            manifest = _build(index, rows, kind=kind)
            assert sorted(hit.position for hit in index.search(manifest, rows[0], k=50)[0]) == list(range(n))


class _WithDevice:
    """FAISS as if it were built for CUDA: what is moved to the device is noted, and stays where it is."""

    def __init__(self, devices: int) -> None:
        self._real = load_faiss()
        self.moved: list[str] = []
        self.get_num_gpus = lambda: devices
        self.StandardGpuResources = SimpleNamespace

    def index_cpu_to_gpu(self, _resources: object, device: int, index: Any) -> Any:
        self.moved.append(f"to {device}")
        return index

    def index_gpu_to_cpu(self, index: Any) -> Any:
        self.moved.append("back")
        return index

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(("devices", "wanted"), [(1, True), (0, True), (1, False)])
def test_a_device_is_used_where_there_is_one_and_it_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: npt.NDArray[np.float32], *, devices: int, wanted: bool
) -> None:
    faiss = _WithDevice(devices)
    monkeypatch.setattr("shoald.adapters.faiss.index_files.load_faiss", lambda: faiss)
    for module in (building, vector_index):
        monkeypatch.setattr(module, "load_faiss", lambda: faiss)
    index = FaissVectorIndex(LocalObjectStore(tmp_path), use_gpu=wanted)
    manifest = _build(index, rows)
    uses = bool(devices and wanted)
    assert manifest["backend"] == ("gpu" if uses else "cpu")
    assert faiss.moved == (["to 0", "back"] if uses else [])
    assert index.search(manifest, rows[7], k=1)[0][0].position == 7
    assert len(faiss.moved) == (3 if uses else 0)
    graph = _build(index, rows[:500], kind="hnsw")
    assert (graph["backend"], index.search(graph, rows[7], k=1)[0][0].position) == ("cpu", 7)
    assert len(faiss.moved) == (3 if uses else 0)
