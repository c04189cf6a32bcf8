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

    What `tell` raises comes out at once, and requests that still run end by themselves, unheard. When the embedder
    fails, those that still run are paid for, too: they are yielded before the failure comes out.
    """
    most, stopped = embedder.info.at_once, threading.Event()
    remaining = iter(batches)
    running: dict[Future[npt.NDArray[np.float32]], _Batch] = {}
    failure: BaseException | None = None

    pool = ThreadPoolExecutor(most, thread_name_prefix="embedding")
    try:
        while True:
            while failure is None and len(running) < most and (batch := next(remaining, None)) is not None:
                running[pool.submit(_embedded, embedder, texts_of(batch), stopped)] = batch
            if not running:
                break
            done, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
            for each in done:
                batch = running.pop(each)
                if (error := each.exception()) is None:
                    yield batch, each.result()
                elif failure is None:
                    failure = error
                    stopped.set()  # whoever pauses before another try need not try it
            tell()
    finally:
        stopped.set()
        pool.shutdown(wait=False, cancel_futures=True)
    if failure is not None:
        raise failure


def _embedded(embedder: Embedder, texts: Sequence[str], stopped: threading.Event) -> npt.NDArray[np.float32]:
    def go_on(done: int) -> None:
        if done < len(texts) and stopped.is_set():
            raise JobCanceled

    return embedder.embed_passages(texts, progress=go_on)
