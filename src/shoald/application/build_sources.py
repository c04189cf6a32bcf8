"""What a build embeds: the chunks of a set, or the segments that they were cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from shoald.application.hidden_passages import hidden_positions
from shoald.application.set_items import batch_size
from shoald.domain.failures import EmptyChunkSet, SegmentSetNotFound
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.vocabulary import IndexType

if TYPE_CHECKING:
    from shoald.application.ports.repositories.segment_sets import SetItemRepository
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork

CHUNKS, SEGMENTS = "chunks", "segments"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSource:
    """The items of a set that become rows of an index, in order; `positions` is None where all of them do."""

    items: ChunkSet | SegmentSet
    positions: npt.NDArray[np.int64] | None = None

    @property
    def total(self) -> int:
        """The number of rows."""
        return self.items.total_items if self.positions is None else len(self.positions)

    @property
    def set_id(self) -> str:
        """The id of the set."""
        items = self.items
        return items.chunk_set_version_id if isinstance(items, ChunkSet) else items.segment_set_version_id

    @property
    def indexed(self) -> str:
        """What the manifest says was indexed."""
        return CHUNKS if isinstance(self.items, ChunkSet) else SEGMENTS

    def texts(self, open_unit_of_work: OpenUnitOfWork, ids: list[str]) -> Iterator[str]:
        """Yield the texts by row, and note the ids of their items."""
        size = batch_size(self.items)
        for start in range(0, self.items.total_items, size):
            with open_unit_of_work() as uow:
                texts = self._repository(uow).texts(self.set_id, start=start, limit=size)
            for place in self._chosen(np.arange(start, start + len(texts))):
                item_id, text = texts[place]
                ids.append(item_id)
                yield text

    def rows(self, size: int) -> Iterator[tuple[slice, npt.NDArray[np.int64]]]:
        """Yield all rows, so many at a time, with the positions of their items."""
        positions = np.arange(self.items.total_items) if self.positions is None else self.positions
        for start in range(0, len(positions), size):
            some = slice(start, min(start + size, len(positions)))
            yield some, positions[some]

    def _chosen(self, positions: npt.NDArray[np.int64]) -> list[int]:
        if self.positions is None:
            return list(range(len(positions)))
        places: list[int] = np.flatnonzero(np.isin(positions, self.positions, assume_unique=True)).tolist()
        return places

    def _repository(self, uow: UnitOfWork) -> SetItemRepository:
        return uow.chunk_sets if isinstance(self.items, ChunkSet) else uow.segment_sets


def source_of(uow: UnitOfWork, chunk_set: ChunkSet, index_type: str, *, namespace_id: str) -> BuildSource:
    """Return what an index of this type is built from; any word but `segment_vectors` means the chunks.

    Passages of deleted documents are left out of what came from a joined set.
    Raises `EmptyChunkSet` when there is nothing to embed, and `SegmentSetNotFound`.
    """
    source = BuildSource(items=chunk_set)
    if index_type == IndexType.SEGMENT_VECTORS:
        source = _segments(uow, chunk_set, namespace_id)
    source = _without_hidden(uow, source)
    if not source.total:
        raise EmptyChunkSet(detail={"chunk_set_version_id": chunk_set.chunk_set_version_id})
    return source


def _without_hidden(uow: UnitOfWork, source: BuildSource) -> BuildSource:
    hidden = hidden_positions(uow, source.items)
    if not hidden:
        return source
    positions = np.arange(source.items.total_items) if source.positions is None else source.positions
    return replace(source, positions=positions[~np.isin(positions, list(hidden))])


def _segments(uow: UnitOfWork, chunk_set: ChunkSet, namespace_id: str) -> BuildSource:
    segment_set = uow.segment_sets.get(chunk_set.segment_set_version_id, namespace_id=namespace_id)
    if segment_set is None:
        raise SegmentSetNotFound(detail={"segment_set_version_id": chunk_set.segment_set_version_id})
    positions = uow.chunk_sets.all_source_positions(chunk_set.chunk_set_version_id)
    has_all = len(positions) == segment_set.total_items
    return BuildSource(items=segment_set, positions=None if has_all else positions)
