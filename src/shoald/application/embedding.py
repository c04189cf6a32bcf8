"""Turns texts into a matrix of vectors, asking the embedder only for texts whose vectors are not stored yet."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from shoald.application.embedding_at_once import embedded_at_once
from shoald.application.ports.embedder import Embedder
from shoald.application.ports.unit_of_work import OpenUnitOfWork

_Batch = Sequence[tuple[bytes, list[int]]]
"""Hashes of texts, and where in their window each stands."""

_WINDOW = 4096
# what an endpoint takes in one request: what was paid for is stored before more is asked for
_WRITTEN_TOGETHER = 256
_CHARACTERS_TOGETHER = 200_000


@dataclass(frozen=True, slots=True)
class Embedded:
    """(n, d) float32 unit rows in the order of the texts; `reused` of them had been embedded before."""

    vectors: npt.NDArray[np.float32]
    reused: int


class EmbedTexts:
    """Embeds by content: equal texts are embedded once, whoever holds them, unless the embedder's are not kept.

    New vectors are committed every few hundred texts, so work that is killed goes on where it was. Memory beyond the
    matrix is that of a few thousand texts.
    """

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open_unit_of_work = open_unit_of_work

    def embed(
        self,
        embedder: Embedder,
        texts: Iterable[str],
        *,
        count: int,
        progress: Callable[[int], None] | None = None,
    ) -> Embedded:
        """Return the vectors of `count` texts.

        `progress` takes the number of texts done, at least once a second while the embedder works; what it raises ends
        the call, with everything done so far kept. Raises what the embedder raises.
        """
        info = embedder.info
        matrix = np.empty((count, info.dimension), np.float32)
        fill = self._fill if info.is_kept else _fill_anew
        reused = start = 0
        remaining = iter(texts)
        while window := list(itertools.islice(remaining, _WINDOW)):
            rows = matrix[start : start + len(window)]
            if len(rows) != len(window):
                raise ValueError("more texts than were announced")
            reused += fill(embedder, window, rows, _Reports(progress, start))
            start += len(window)
        if start != count:
            raise ValueError("fewer texts than were announced")
        return Embedded(matrix, reused)

    def _fill(self, embedder: Embedder, texts: Sequence[str], rows: npt.NDArray[np.float32], reports: _Reports) -> int:
        """Fill the rows of one window; returns how many needed no embedding."""
        name = cache_name(embedder)
        hashes = [content_hash(text) for text in texts]
        with self._open_unit_of_work() as uow:
            places, vectors = uow.embeddings.known(name, hashes, dimension=rows.shape[1])
            uow.commit()
        rows[places] = vectors
        unknown = _places_by_hash(hashes, known=set(places.tolist()))
        reused = len(texts) - sum(map(len, unknown.values()))
        reports.finish(reused)
        for batch, fresh in self._embedded(embedder, _batches(list(unknown.items()), texts), texts, reports.tell):
            with self._open_unit_of_work() as uow:
                uow.embeddings.add(name, [digest for digest, _ in batch], fresh)
                uow.commit()
            for vector, (_, same) in zip(fresh, batch, strict=True):
                rows[same] = vector
            reports.finish(sum(len(same) for _, same in batch))
        return reused

    @staticmethod
    def _embedded(
        embedder: Embedder, batches: Iterable[_Batch], texts: Sequence[str], report: Callable[[int], None]
    ) -> Iterator[tuple[_Batch, npt.NDArray[np.float32]]]:
        """Yield the batches with their vectors; `report` takes what is done of those not yielded yet."""

        def texts_of(batch: _Batch) -> Sequence[str]:
            return [texts[same[0]] for _, same in batch]

        if embedder.info.at_once > 1:
            yield from embedded_at_once(embedder, batches, texts_of, lambda: report(0))
            return
        for batch in batches:
            yield batch, embedder.embed_passages(texts_of(batch), progress=report)


def _fill_anew(embedder: Embedder, texts: Sequence[str], rows: npt.NDArray[np.float32], reports: _Reports) -> int:
    rows[:] = embedder.embed_passages(texts, progress=reports.tell)
    return 0


def content_hash(text: str) -> bytes:
    """Return the SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def cache_name(embedder: Embedder) -> str:
    """Return what an embedder's vectors are stored under; another version has other vectors."""
    return f"{embedder.info.name}@{embedder.info.version}"


@dataclass(slots=True)
class _Reports:
    """Tells the caller's `progress` the number of texts done; `finished` counts those whose vectors are in place."""

    progress: Callable[[int], None] | None
    finished: int

    def finish(self, count: int) -> None:
        """Count so many more, and tell."""
        self.finished += count
        self.tell(0)

    def tell(self, more: int) -> None:
        """Tell what is finished, and so many that are embedded beyond it."""
        if self.progress:
            self.progress(self.finished + more)


def _places_by_hash(hashes: Sequence[bytes], *, known: set[int]) -> dict[bytes, list[int]]:
    """Return the places of each hash that has no vector, in order of first appearance."""
    places: dict[bytes, list[int]] = {}
    for place, digest in enumerate(hashes):
        if place not in known:
            places.setdefault(digest, []).append(place)
    return places


def _batches(items: _Batch, texts: Sequence[str]) -> Iterator[_Batch]:
    """Yield so many at a time that their texts are one request to an endpoint."""
    start = characters = 0
    for at, (_, same) in enumerate(items):
        length = len(texts[same[0]])
        if at > start and (at - start == _WRITTEN_TOGETHER or characters + length > _CHARACTERS_TOGETHER):
            yield items[start:at]
            start, characters = at, 0
        characters += length
    if items:
        yield items[start:]
