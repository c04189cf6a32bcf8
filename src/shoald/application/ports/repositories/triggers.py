"""What the use cases ask of stored triggers and their firings; every moment that decides is PostgreSQL's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shoald.domain.records.trigger import Firing, Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerFilter:
    """Which triggers to list: of one namespace, and of those all that pass what is set."""

    namespace_id: str
    cluster_id: str | None = None
    trigger_type: str | None = None
    status: str | None = None
    action_type: str | None = None


class TriggerRepository(Protocol):
    """Stored triggers and firings. Those that are automatic are in no list and found by no id of a caller."""

    def now(self) -> datetime:
        """Return the database's time."""
        ...

    def add(self, trigger: Trigger) -> None:
        """Store a trigger; an automatic one only if its cluster has none."""
        ...

    def get(self, namespace_id: str, trigger_id: str) -> Trigger | None:
        """Return a trigger of a namespace."""
        ...

    def hold(self, trigger_id: str) -> Trigger | None:
        """Return a trigger of any namespace, and keep others from changing it until the transaction ends."""
        ...

    def save(self, trigger: Trigger) -> None:
        """Store a trigger as it is now."""
        ...

    def find(
        self, wanted: TriggerFilter, *, limit: int, offset: int, sort_by: str, descending: bool
    ) -> Sequence[Trigger]:
        """Return triggers; raises `InvalidFields` for a field that cannot be sorted by."""
        ...

    def count(self, wanted: TriggerFilter) -> int:
        """Count what `find` would return without limits."""
        ...

    def count_active(self, namespace_id: str) -> int:
        """Count the active triggers of a namespace, and keep others from adding one until the transaction ends."""
        ...

    # What fires them.

    def due(
        self, now: datetime, limit: int, *, types: Collection[str], behind: Trigger | None = None
    ) -> Sequence[Trigger]:
        """Return active triggers of some types that have come round, the longest overdue first; those behind one if it
        is named.
        """
        ...

    def hold_cluster(self, cluster_id: str) -> bool:
        """Keep other triggers away from a cluster; False while another transaction has it, or when it is gone."""
        ...

    def take(self, trigger_id: str, due_at: datetime) -> Trigger | None:
        """Hold a trigger that is active and still due at that moment; None when it is not, or somebody else has it."""
        ...

    def run_at_work(self, cluster_id: str) -> tuple[str, str] | None:
        """Return the ids of the newest run of a cluster that has not ended, and of its job."""
        ...

    def add_firing(self, firing: Firing) -> bool:
        """Store a firing, and say whether its slot was still free."""
        ...

    def has_fired(self, trigger_id: str, slot: str) -> bool:
        """Say whether a slot is taken."""
        ...

    # What follows a run.

    def ended(self, limit: int, *, behind: Firing | None = None) -> Sequence[Firing]:
        """Return open firings whose runs have ended, or are gone, oldest first; those behind one if it is named."""
        ...

    def hold_firing(self, firing: Firing) -> bool:
        """Keep others from changing a firing; False when it is open no more, or another transaction has it."""
        ...

    def settle(self, firing: Firing) -> None:
        """Store how a firing ended."""
        ...

    def history(self, trigger_id: str, *, status: str | None, limit: int, offset: int) -> tuple[Sequence[Firing], int]:
        """Return firings, newest first, and how many there are in all."""
        ...

    def remove_firings(self, ended_before: datetime, limit: int) -> int:
        """Remove firings that ended before a moment, oldest first, and say how many."""
        ...

    # What events and conditions look at.

    def hold_counting(self, namespace_id: str, collection_id: str) -> Sequence[Trigger]:
        """Return the active event triggers that events of a collection may concern, held, in the order of their ids."""
        ...

    def automatic_clusters(self, namespace_id: str, collection_id: str) -> Sequence[str]:
        """Return the ids of the clusters over a collection that are to be run after each batch."""
        ...

    def first_unseen(
        self, namespace_id: str, revisions: Mapping[str, int], *, told_after: datetime
    ) -> Mapping[str, datetime]:
        """Return when the first of the upserts, imports and builds began that made a later revision of a collection.

        Collections without such are left out, and what was told before a moment. A long import is made before it is
        seen: who read meanwhile read none of it.
        """
        ...

    def documents_since(self, moments: Mapping[str, datetime]) -> int:
        """Count the documents that were added to collections, by id, at a moment or later. Reads a row of each."""
        ...

    def vectors_since(self, collection_id: str, vector_name: str, since: datetime, limit: int) -> Sequence[bytes]:
        """Return some vectors of documents that were added at a moment or later, as little-endian float32."""
        ...
