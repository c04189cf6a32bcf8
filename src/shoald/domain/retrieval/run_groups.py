"""The groups of a run as a retrieval sees them: their numbers go in, what they are and what lies below them comes out.

An item has the number of its group, `NOISE` where the run left it in none, `ABSENT` where the run did not read it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from shoald.domain.json_types import JsonObject

NOISE, ABSENT = -1, -2
OUTSIDE = 2
"""How many numbers below 0 there are; an array of one more for each group is read with them from its end."""

Numbers = npt.NDArray[np.int32]


class Membership(StrEnum):
    """How an item stands to a run."""

    IN_GROUP = "in_group"
    IN_NO_GROUP = "in_no_group"
    NOT_IN_RUN = "not_in_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class HitGroup:
    """Where an item stands: its group with the ids from the first level down to it, or why it has none."""

    membership: str
    group_id: str | None = None
    label: str | None = None
    path: tuple[str, ...] = ()

    def as_json(self) -> JsonObject:
        """Return it as a stored run shows it."""
        return {
            "group_id": self.group_id,
            "label": self.label,
            "path": list(self.path),
            "membership": str(self.membership),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroups:
    """The groups of a run by number: ids, names as people see them, and the numbers above (-1 on the first level)."""

    ids: tuple[str, ...]
    labels: tuple[str | None, ...]
    parents: tuple[int, ...]
    noise_label: str | None = None

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.ids)

    def described(self, number: int) -> HitGroup:
        """Return what an item of this number is shown with."""
        if number == NOISE:
            return HitGroup(membership=Membership.IN_NO_GROUP, label=self.noise_label)
        if number < 0:
            return HitGroup(membership=Membership.NOT_IN_RUN)
        path = tuple(self.ids[at] for at in reversed(list(self._upwards(number))))
        return HitGroup(membership=Membership.IN_GROUP, group_id=self.ids[number], label=self.labels[number], path=path)

    def named(self, label: str) -> set[int]:
        """Return the numbers of all groups of a name, case ignored; `NOISE` is one of them if it is called so.

        >>> RunGroups(ids=("a", "b"), labels=("Cats", "cats"), parents=(-1, -1), noise_label="noise").named("CATS")
        {0, 1}
        """
        wanted = label.casefold()
        found = {at for at, one in enumerate(self.labels) if one is not None and one.casefold() == wanted}
        is_noise = self.noise_label is not None and self.noise_label.casefold() == wanted
        return found | {NOISE} if is_noise else found

    def along(self, path: Sequence[str]) -> set[int]:
        """Return the groups that a path leads to from the first level; each step is an id or a name.

        >>> groups = RunGroups(ids=("a", "a_1", "b"), labels=("Pets", "Cats", "Cars"), parents=(-1, 0, -1))
        >>> groups.along(["pets", "a_1"]), groups.along(["a_1"])
        ({1}, set())
        """
        above: set[int] = {-1}
        for step in path:
            meant = {at for at in self.named(step) if at >= 0}
            if step in self.ids:
                meant.add(self.ids.index(step))
            above = {at for at in meant if self.parents[at] in above}
        return above - {-1}

    def with_parts(self, numbers: Iterable[int]) -> set[int]:
        """Return numbers with those of all groups below them."""
        wanted = set(numbers)
        below = {at for at in range(len(self.ids)) if not wanted.isdisjoint(self._upwards(at))}
        return wanted | below

    def counts(self, numbers: Numbers) -> dict[int, int]:
        """Count items by group, those of the groups below it too; what no item is in is left out. O(items + groups)."""
        counted = np.bincount(numbers + OUTSIDE, minlength=len(self.ids) + OUTSIDE).tolist()
        found = {at: counted[at + OUTSIDE] for at in (NOISE, ABSENT) if counted[at + OUTSIDE]}
        for number in np.flatnonzero(counted[OUTSIDE:]).tolist():
            for at in self._upwards(number):
                found[at] = found.get(at, 0) + counted[number + OUTSIDE]
        return found

    def ranked(self, counts: dict[int, int]) -> list[int]:
        """Return the numbers that were counted, most first, ties by id, `NOISE` and `ABSENT` last."""
        return sorted(counts, key=lambda at: (at == ABSENT, at == NOISE, -counts[at], self.ids[at] if at >= 0 else ""))

    def _upwards(self, number: int) -> Iterator[int]:
        while number >= 0:
            yield number
            number = self.parents[number]
