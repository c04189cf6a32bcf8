"""Groups of faces in, which of them are one person out: near centroids, and a place or scenes in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from shoald.domain.clustering.grouping import by_size
from shoald.domain.clustering.neighbour_graph import unit_rows
from shoald.domain.clustering.spaces import Floats, Integers, Labels

CORNERS = 4
BOXES_COMPARED = 200
"""Boxes of one frame compared at most, so that one crowded frame does not cost the square of it."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMerge:
    """When two groups are one face: the cosine, and the overlap of boxes or of scenes; and where these stand."""

    centroid_cosine_threshold: float = 0.55
    bbox_iou_threshold: float = 0.4
    scene_jaccard_threshold: float = 0.3
    bbox_field: str = "bbox"
    frame_field: str = "frame_number"
    scene_field: str = "scene_id"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sightings:
    """Where the members of each group were seen: boxes by frame, and scenes."""

    boxes: Sequence[Mapping[str, Sequence[Box]]]
    scenes: Sequence[frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """(n,) labels in the order of size, and for each of them the old groups that it is made of."""

    labels: Labels
    parts: tuple[tuple[int, ...], ...]


def box_of(value: Any) -> Box | None:
    """Return a box as its corners (left, top, right, bottom), or None for what is none.

    >>> box_of([3, 4, 1, 2])
    (1.0, 2.0, 3.0, 4.0)
    """
    if not isinstance(value, list | tuple) or len(value) != CORNERS:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) for one in value):
        return None
    left, top, right, bottom = (float(one) for one in value)
    return min(left, right), min(top, bottom), max(left, right), max(top, bottom)


def overlap(one: Box, other: Box) -> float:
    """Return the area in both boxes over the area in either, 0 to 1.

    >>> overlap((0, 0, 2, 2), (1, 0, 3, 2))
    0.3333333333333333
    """
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (_area(one) + _area(other) - both)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def sightings_of(labels: Labels, payloads: Sequence[Mapping[str, Any]], rule: FaceMerge) -> Sightings:
    """Collect boxes and scenes of each group from its members' payloads; what is missing there is left out. O(n)."""
    k = int(labels.max(initial=-1)) + 1
    boxes: list[dict[str, list[Box]]] = [defaultdict(list) for _ in range(k)]
    scenes: list[set[str]] = [set() for _ in range(k)]
    for label, payload in zip(labels.tolist(), payloads, strict=True):
        if label < 0:
            continue
        box, frame = box_of(payload.get(rule.bbox_field)), payload.get(rule.frame_field)
        if box is not None and frame is not None and len(boxes[label][str(frame)]) < BOXES_COMPARED:
            boxes[label][str(frame)].append(box)
        if payload.get(rule.scene_field) is not None:
            scenes[label].add(str(payload[rule.scene_field]))
    return Sightings(boxes=boxes, scenes=[frozenset(one) for one in scenes])


def merged_faces(labels: Labels, centroids: Floats, seen: Sightings, rule: FaceMerge) -> Merged:
    """Merge groups whose centroids' cosine meets its threshold, and whose boxes on a common frame or whose scenes meet
    theirs. Merging goes on through chains: of three, two pairs are enough. O(k² d), and the boxes of common frames.
    """
    k = len(centroids)
    parent = list(range(k))
    cosines = unit_rows(centroids) @ unit_rows(centroids).T
    for left, right in zip(*np.nonzero(np.triu(cosines >= rule.centroid_cosine_threshold, 1)), strict=True):
        if _seen_together(seen, int(left), int(right), rule):
            parent[_root(parent, int(right))] = _root(parent, int(left))
    roots = np.array([_root(parent, group) for group in range(k)], dtype=np.int64)
    new, old = by_size(np.where(labels >= 0, roots[labels] if k else -1, -1))
    return Merged(labels=new, parts=tuple(_members(roots, int(root)) for root in old))


def _members(roots: Integers, root: int) -> tuple[int, ...]:
    return tuple(int(group) for group in np.flatnonzero(roots == root))


def _root(parent: list[int], group: int) -> int:
    while parent[group] != group:
        parent[group] = parent[parent[group]]
        group = parent[group]
    return group


def _seen_together(seen: Sightings, left: int, right: int, rule: FaceMerge) -> bool:
    either = seen.scenes[left] | seen.scenes[right]
    both = seen.scenes[left] & seen.scenes[right]
    if either and len(both) / len(either) >= rule.scene_jaccard_threshold and both:
        return True
    frames = seen.boxes[left].keys() & seen.boxes[right].keys()
    return any(
        overlap(one, other) >= rule.bbox_iou_threshold
        for frame in sorted(frames)
        for one in seen.boxes[left][frame]
        for other in seen.boxes[right][frame]
    )
