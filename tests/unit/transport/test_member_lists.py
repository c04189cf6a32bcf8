"""Members as lists, for languages without Arrow."""

from __future__ import annotations

import math

from shoald.transport.mapping.clusters.artifacts import members_message


def test_lists_are_of_one_length_and_nan_stands_for_no_number() -> None:
    batch = {"point_id": ["a", "b"], "cluster_id": ["cl_0", "-1"], "x": [0.5, None], "sparse": [1, 2]}
    message = members_message(batch)
    assert (message.rows, list(message.lists.point_id), list(message.lists.cluster_id)) == (
        2,
        ["a", "b"],
        ["cl_0", "-1"],
    )
    assert message.lists.x[0] == 0.5
    assert math.isnan(message.lists.x[1])
    assert not message.lists.z
    assert not message.arrow
