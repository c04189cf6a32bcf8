"""Passages of deleted documents in sets that join several: the set stays, and they are left out where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from shoald.domain.filters.conditions import Equals
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet

if TYPE_CHECKING:
    from shoald.application.ports.unit_of_work import UnitOfWork

_VERSION = ("document_version_id",)
AnySet = TypeVar("AnySet", SegmentSet, ChunkSet)


def naming(version_ids: Sequence[str]) -> Equals:
    """Return the condition that the metadata of an item name one of these versions."""
    return Equals(_VERSION, tuple(version_ids), case_sensitive=True)


def hidden_positions(uow: UnitOfWork, stored: SegmentSet | ChunkSet) -> frozenset[int]:
    """Return where in a set the passages of deleted documents stand: nowhere but in joined sets and what they became.

    Costs a look at every item of the set when there are such documents, else one short query.
    """
    version_ids = uow.documents.hidden_beside(stored.segment_set_version_id)
    if not version_ids:
        return frozenset()
    if isinstance(stored, ChunkSet):
        found = uow.chunk_sets.positions_where(stored.chunk_set_version_id, naming(version_ids), laid_over={})
    else:
        found = uow.segment_sets.positions_where(stored.segment_set_version_id, naming(version_ids), laid_over={})
    return frozenset(found.tolist())


def as_seen(uow: UnitOfWork, stored: AnySet) -> AnySet:
    """Return a set as readers see it: passages of deleted documents do not count. Costs as `hidden_positions`."""
    hidden = hidden_positions(uow, stored)
    return replace(stored, total_items=stored.total_items - len(hidden)) if hidden else stored
