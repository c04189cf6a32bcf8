from __future__ import annotations

from typing import Any

from shoald.domain.clustering.sweeps import SweepPoint, score_of, settings_of, suggested


def point(**figures: Any) -> SweepPoint:
    known: dict[str, Any] = {
        "parameters": {},
        "num_clusters": 3,
        "noise_ratio": 0.0,
        "largest_share": 0.4,
        "silhouette_score": 0.2,
        "mean_cosine_to_centroid": 0.5,
        "mean_stability": 0.9,
        "unstable_clusters": 0,
        "degenerate": None,
        "score": None,
    }
    known |= figures
    return SweepPoint(**{**known, "score": score_of(known)})


def test_a_grid_is_every_combination_and_lists_are_added() -> None:
    found = settings_of({"b": [1, 2], "a": [True]}, [{"a": True, "b": 1}, {}])
    assert found == [{"a": True, "b": 1}, {"a": True, "b": 2}, {}]
    assert settings_of({}, []) == []


def test_what_holds_much_and_holds_is_suggested() -> None:
    noisy, shaky, good = point(noise_ratio=0.6), point(mean_stability=0.3), point()
    assert suggested([noisy, shaky, good, good]) == 2


def test_degenerate_settings_are_not_suggested() -> None:
    assert suggested([point(degenerate="all_noise"), point(mean_stability=None)]) is None
    assert suggested([]) is None
