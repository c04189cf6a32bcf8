"""Settings to try in, what each of them gives and the one to take out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shoald.domain.json_types import JsonObject

MOST_SETTINGS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPoint:
    """What one setting gives: groups, the share in none, the share in the largest, quality and stability.

    `parameters` are those that the setting changes. `score` is what the suggestion goes by, None where there is none.
    """

    parameters: JsonObject
    num_clusters: int
    noise_ratio: float
    largest_share: float
    silhouette_score: float | None
    mean_cosine_to_centroid: float | None
    mean_stability: float | None
    unstable_clusters: int
    degenerate: str | None
    score: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the point as it is stored."""
        return asdict(self)


def settings_of(grid: Mapping[str, Sequence[Any]], listed: Sequence[JsonObject]) -> list[dict[str, Any]]:
    """Return the settings: every combination of the grid's values, then those that are listed; each once.

    >>> settings_of({"min_cluster_size": [5, 10]}, [{"min_samples": 3}])
    [{'min_cluster_size': 5}, {'min_cluster_size': 10}, {'min_samples': 3}]
    """
    names = sorted(grid)
    combined = [dict(zip(names, values, strict=True)) for values in itertools.product(*(grid[one] for one in names))]
    found: list[dict[str, Any]] = []
    for setting in [*(combined if names else []), *map(dict, listed)]:
        if setting not in found:
            found.append(setting)
    return found


def score_of(point: Mapping[str, Any]) -> float | None:
    """Return how good a setting is, None for a degenerate one.

    The share of documents in groups, times how well these come back (their silhouette counts half as much): groups
    that hold much, and hold.
    """
    if point["degenerate"] or point["mean_stability"] is None:
        return None
    silhouette = point["silhouette_score"] or 0.0
    return float((1 - point["noise_ratio"]) * (point["mean_stability"] + silhouette / 2))


def together(points: Sequence[SweepPoint]) -> SweepPoint:
    """Return what one setting gives on several features, each grouped by itself.

    Groups are counted together; shares, quality and score are the features' mean. It is degenerate where one of them
    is.
    """
    first = points[0]
    if len(points) == 1:
        return first
    return SweepPoint(
        parameters=first.parameters,
        num_clusters=sum(one.num_clusters for one in points),
        noise_ratio=sum(one.noise_ratio for one in points) / len(points),
        largest_share=sum(one.largest_share for one in points) / len(points),
        silhouette_score=_mean([one.silhouette_score for one in points]),
        mean_cosine_to_centroid=_mean([one.mean_cosine_to_centroid for one in points]),
        mean_stability=_mean([one.mean_stability for one in points]),
        unstable_clusters=sum(one.unstable_clusters for one in points),
        degenerate=next((one.degenerate for one in points if one.degenerate), None),
        score=_mean([one.score for one in points]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean, None where one of the values is missing."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) else None


def suggested(points: Sequence[SweepPoint]) -> int | None:
    """Return the place of the best setting, the first among equals; None when all are degenerate."""
    known = [(point.score, -at) for at, point in enumerate(points) if point.score is not None]
    return -max(known)[1] if known else None
