"""What attempts of runs leave behind."""

from __future__ import annotations

from shoald.application.run_artifacts import artifact_key, remove_artifacts
from support.fakes.object_store import MemoryObjectStore


def test_an_attempt_that_tidies_up_late_leaves_what_was_drawn_since() -> None:
    objects = MemoryObjectStore()
    left, kept, drawn = artifact_key("run_1", 1, "members"), artifact_key("run_1", 2, "members"), "runs/run_1/9a.1/x"
    for key in (left, kept, drawn):
        objects.put(key, b"rows")
    remove_artifacts(objects, "run_1", but_attempt=2)
    assert set(objects.objects) == {kept, drawn}
    remove_artifacts(objects, "run_1")
    assert not objects.objects
