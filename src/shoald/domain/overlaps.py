"""Groups of several groupings of the same things go in; which lies under which comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence


def parents_by_overlap(groupings: Sequence[Mapping[str, frozenset[Hashable]]], share: float) -> dict[str, str]:
    """Return for each group the smallest larger group of another grouping that holds at least `share` of it.

    Keys are unique over all groupings; groups of one grouping have no member in common. A parent is strictly larger, so
    that nothing lies under itself; ties go to the larger overlap, then to the smaller key. O(members · groupings).

    >>> coarse = {"a": frozenset("uvwx"), "b": frozenset("yz")}
    >>> parents_by_overlap([coarse, {"c": frozenset("uvy"), "d": frozenset("z")}], 0.6)
    {'c': 'a', 'd': 'b'}
    """
    holders = [{member: key for key, members in one.items() for member in members} for one in groupings]
    sizes = {key: len(members) for one in groupings for key, members in one.items()}
    found: dict[str, str] = {}
    for at, grouping in enumerate(groupings):
        others = [one for other, one in enumerate(holders) if other != at]
        for key, members in grouping.items():
            held = Counter(one[member] for one in others for member in members if member in one)
            above = [
                (sizes[name], -count, name)
                for name, count in held.items()
                if sizes[name] > len(members) and count >= share * len(members)
            ]
            if above:
                found[key] = min(above)[2]
    return found
