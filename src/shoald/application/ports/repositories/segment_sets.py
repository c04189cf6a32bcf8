"""What the use cases ask of stored segment sets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Protocol

from shoald.domain.filters import Condition
from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SegmentSet, SetItem

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from shoald.application.ports.repositories.enrichments import EnrichedFields


class SetItemRepository(Protocol):
    """The items of stored sets: written once, in order, then immutable."""

    def write_items(self, set_id: str, items: Iterable[SetItem]) -> None:
        """Append items in bulk; may be called several times within the transaction that adds the set."""
        ...

    def items(self, set_id: str, *, start: int, limit: int) -> Sequence[SetItem]:
        """Return the items at positions from `start` to before `start + limit`, by position."""
        ...

    def items_as_json(self, set_id: str, *, start: int, limit: int, hidden: AbstractSet[int]) -> str:
        """Return the items at positions from `start` to before `start + limit` that are not `hidden`, by position.

        They are JSON objects with the names of `SetItem`'s fields in its order, joined by commas; the store writes them
        in a third of the time that taking them apart and writing them again would be.
        """
        ...

    def items_at(self, set_id: str, positions: Sequence[int]) -> dict[int, SetItem]:
        """Return the items at these positions, by position."""
        ...

    def find_item(self, set_id: str, item_id: str) -> SetItem | None:
        """Return the item of this id; it is looked for among all of the set's."""
        ...

    def known_ids(self, set_id: str, item_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are of items of the set, or of segments that its items were cut from.

        Looks at all items of the set.
        """
        ...

    def clone_items(self, target_id: str, source_id: str, changed: SetItem) -> None:
        """Copy the items of a set to an empty one, with one of them, at its position, as `changed`."""
        ...

    def texts(self, set_id: str, *, start: int, limit: int) -> Sequence[tuple[str, str]]:
        """Return (item id, content) of the items at positions from `start` to before `start + limit`, by position."""
        ...

    def ids(self, set_id: str) -> npt.NDArray[np.bytes_]:
        """Return the ids of all items of a set, as UTF-8 bytes, by position."""
        ...

    def positions_where(
        self, set_id: str, condition: Condition, *, laid_over: JsonObject, enriched: EnrichedFields | None = None
    ) -> npt.NDArray[np.int64]:
        """Return the ascending positions of the items whose metadata, with what was written into the documents made of
        them (`enriched`), `laid_over`, and the item's own `item_id` and `position` over it, fulfils a condition.
        """
        ...


class SegmentSetRepository(SetItemRepository, Protocol):
    """Stored segment sets; reads see what is not deleted, in projects of the namespace."""

    def add(self, segment_set: SegmentSet) -> None:
        """Store a new set, before its items."""
        ...

    def finish(self, segment_set: SegmentSet) -> None:
        """Store the totals of a set whose items are written, and make it the active one of its scope.

        The scope is the document version, or the project for a joined set; the caller holds its lock.
        """
        ...

    def get(self, set_id: str, *, namespace_id: str) -> SegmentSet | None:
        """Return a set."""
        ...

    def list(self, project_id: str, *, offset: int, limit: int) -> Sequence[SegmentSet]:
        """Return the sets of a project, newest first, ties by id."""
        ...

    def newest_active(self, project_id: str) -> SegmentSet | None:
        """Return the newest active set of a project, joined or not."""
        ...

    def active_of_documents(self, project_id: str) -> Sequence[SegmentSet]:
        """Return the active set of the active version of each document that is not deleted, oldest document first."""
        ...

    def loaded_object(self, project_id: str, uri: str) -> JsonObject | None:
        """Return what a loader, in a set of this project that was derived from none, said of the object at a URI."""
        ...

    def join_items(self, target_id: str, source: SegmentSet, *, first_position: int, metadata: JsonObject) -> None:
        """Copy the items of a set behind those of another, with `metadata` laid over theirs.

        Item ids, and the parents that name them, are made anew from the two ids: the same in every join of that set.
        """
        ...
