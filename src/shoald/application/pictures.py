"""Pictures: an item of a segment set goes in, the bytes that its loader stored for it come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.application.segmenting import visible_segment_set
from shoald.domain.failures import ArtifactNotFound, SegmentItemNotFound
from shoald.domain.json_types import JsonObject

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.domain.records.segment_set import SegmentSet, SetItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """The bytes of a picture; `parts(start, end)` yields those from `start` to before `end` (None: to the end)."""

    content_hash: str
    mime: str
    size: int
    parts: Callable[[int, int | None], Iterator[bytes]]


class Pictures:
    """Reads what loaders stored beside their segments."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, objects: ObjectStore) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._objects = objects

    def of_item(self, caller: Caller, set_id: str, item_id: str) -> Picture:
        """Return the picture of an item, also of one in a derived or joined set.

        Raises `SegmentSetNotFound`, `SegmentItemNotFound`, `ArtifactNotFound` for an item without a picture.
        """
        stored = self._stored(caller, set_id, item_id)
        key = self._objects.key_of(stored["object_uri"])
        return Picture(
            content_hash=stored["content_hash"],
            mime=stored["mime"],
            size=self._objects.size(key),  # one that is lost is told before the first byte
            parts=lambda start, end: self._objects.stream(key, start=start, end=end),
        )

    def _stored(self, caller: Caller, set_id: str, item_id: str) -> JsonObject:
        """Return what the loader said of the picture: in copies of its set a caller may have written anything."""
        with self._open_unit_of_work(reading=True) as uow:
            segment_set = visible_segment_set(uow, caller, set_id)
            item = uow.segment_sets.find_item(set_id, item_id)
            hidden = uow.documents.hidden_beside(set_id)
            if item is None or item.metadata.get("document_version_id") in hidden:
                raise SegmentItemNotFound(detail={"segment_set_version_id": set_id, "item_id": item_id})
            uri = item.metadata.get("object_uri")
            found = uow.segment_sets.loaded_object(segment_set.project_id, uri) if isinstance(uri, str) else None
        if found is None:
            raise _none(segment_set, item)
        return found


def _none(segment_set: SegmentSet, item: SetItem) -> ArtifactNotFound:
    return ArtifactNotFound(
        "This item has no picture.",
        detail={"segment_set_version_id": segment_set.segment_set_version_id, "item_id": item.item_id},
        hint="Items of the type image whose metadata has an object_uri have one.",
    )
