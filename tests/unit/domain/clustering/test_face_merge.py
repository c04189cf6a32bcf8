from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from shoald.domain.clustering.face_merge import FaceMerge, box_of, merged_faces, sightings_of

NEAR = np.array([[1, 0], [0.9, 0.3], [0, 1]], dtype=np.float32)
LABELS = np.array([0, 0, 1, 2], dtype=np.int32)


def merged(payloads: list[dict[str, Any]], rule: FaceMerge | None = None) -> list[int]:
    rule = rule or FaceMerge()
    found = merged_faces(LABELS, NEAR, sightings_of(LABELS, payloads, rule), rule)
    return [int(label) for label in found.labels]


def test_near_groups_with_scenes_in_common_are_one_face() -> None:
    scenes = [{"scene_id": "a"}, {"scene_id": "b"}, {"scene_id": "a"}, {"scene_id": "a"}]
    assert merged(scenes) == [0, 0, 0, 1]


def test_near_groups_with_overlapping_boxes_on_a_frame_are_one_face() -> None:
    def seen(frame: int, box: list[float]) -> dict[str, Any]:
        return {"frame_number": frame, "bbox": box}

    assert merged([seen(1, [0, 0, 10, 10]), {}, seen(1, [1, 1, 10, 10]), {}]) == [0, 0, 0, 1]
    assert merged([seen(1, [0, 0, 10, 10]), {}, seen(2, [1, 1, 10, 10]), {}]) == [0, 0, 1, 2]
    assert merged([seen(1, [0, 0, 10, 10]), {}, seen(1, [9, 9, 20, 20]), {}]) == [0, 0, 1, 2]


def test_nearness_alone_is_not_enough_and_neither_is_a_place() -> None:
    assert merged([{}, {}, {}, {}]) == [0, 0, 1, 2]
    far = FaceMerge(centroid_cosine_threshold=0.99)
    assert merged([{"scene_id": 1}] * 4, far) == [0, 0, 1, 2]


def test_other_fields_may_hold_the_signals() -> None:
    assert merged([{"shot": 1}] * 4, FaceMerge(scene_field="shot")) == [0, 0, 0, 1]


def test_chains_merge() -> None:
    rule = FaceMerge(centroid_cosine_threshold=0.2)
    assert merged([{"scene_id": 1}] * 4, rule) == [0, 0, 0, 0]


@pytest.mark.parametrize("value", [None, "1,2,3,4", [1, 2, 3], [1, 2, 3, "4"], [True, 1, 2, 3]])
def test_what_is_no_box_is_left_out(value: object) -> None:
    assert box_of(value) is None


def test_noise_stays_noise() -> None:
    labels = np.array([-1, 0, 1], dtype=np.int32)
    rule = FaceMerge()
    seen = sightings_of(labels, [{"scene_id": 1}] * 3, rule)
    found = merged_faces(labels, NEAR[:2], seen, rule)
    assert found.labels.tolist() == [-1, 0, 0]
    assert found.parts == ((0, 1),)
