"""What a run says of the documents that did not arrive in a group."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from shoald.application.run_records import RunResult, reconciled

NO_VECTOR = "2 of 12 documents have no vector to be read"
LOST = "1 of 10 vectors are neither in a group nor noise"


@pytest.mark.parametrize(
    ("source", "grouped", "noise", "drop", "reasons", "as_noise"),
    [
        (10, 10, 0, 0, [], None),
        (10, 7, 3, 3, [], True),
        (12, 10, 0, 0, [NO_VECTOR], None),
        (12, 7, 2, 3, [NO_VECTOR, LOST], False),
        (8, 10, 0, 0, [], None),  # some were removed while it read
    ],
)
def test_noise_is_expected_and_all_else_is_told(
    source: int, grouped: int, noise: int, drop: int, reasons: list[str], as_noise: object
) -> None:
    given = SimpleNamespace(source_documents=source, vectors_retrieved=10)
    found = reconciled(cast("RunResult", cast("Any", SimpleNamespace(given=given, grouped=grouped, ungrouped=noise))))
    assert found["reconciliation"] == {"ok": not reasons, "reasons": reasons, "as_noise": as_noise}
    assert (found["counts"]["pipeline_drop"], found["counts"]["vectors_clustered"]) == (drop, grouped)
