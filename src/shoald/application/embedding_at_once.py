"""Batches of texts go to an embedder several at a time, and come back with their vectors as each is done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from shoald.domain.failures import JobCanceled

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from shoald.application.ports.embedder import Embedder

_Batch = TypeVar("_Batch")
_TICK_SECONDS = 0.5


def embedded_at_once(
    embedder: Embedder,
    batches: Iterable[_Batch],
    texts_of: Callable[[_Batch], Sequence[str]],
    tell: Callable[[], None],
) -> Iterator[tuple[_Batch, npt.NDArray[np.float32]]]:
    """Yield each batch with its vectors, in the order in which they come; `tell` is called while they are waited for.

    What `tell` or the embedder raises comes out at once; requests that still run end by themselves, unheard.
    """
    most, stopped = embedder.info.at_once, threading.Event()
    remaining = iter(batches)
    running: dict[Future[npt.NDArray[np.float32]], _Batch] = {}

    def embed(batch: _Batch) -> npt.NDArray[np.float32]:
        return embedder.embed_passages(texts_of(batch), progress=lambda _done: _unless(stopped))

    pool = ThreadPoolExecutor(most, thread_name_prefix="embedding")
    try:
        while True:
            while len(running) < most and (batch := next(remaining, None)) is not None:
                running[pool.submit(embed, batch)] = batch
            if not running:
                return
            done, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            tell()
            for each in done:
                yield running.pop(each), each.result()
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _unless(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise JobCanceled
