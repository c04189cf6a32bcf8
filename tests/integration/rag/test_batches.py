"""Sets of several batches are made and read as small ones are, with batches in which nothing is shown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest

from shoald.application.set_items import item_batches, json_batches
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.segment_set import SegmentSet, SetItem
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration


def test_batches_hide_the_passages_of_a_deleted_document(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoald.application.set_items._MOST_ITEMS", 2)
    path.texts("a", "b", "c")
    gone, _ = path.texts("d", "e", "f", "g", "h"), path.texts("i", "j")
    joined = path.use_cases.joining.create(path.caller, path.project.project_id, [], Here())
    before = path.chunk(joined)
    assert _read(path, joined) == _read(path, before) == "abcdefghij"
    version_id = str(gone.document_version_id)
    with path.adapters.open_unit_of_work() as uow:
        document_id = uow.documents.of_versions([version_id])[version_id].document_id
    path.use_cases.lineage.delete(path.caller, document_id)
    after = path.chunk(joined)
    assert _read(path, joined) == _read(path, before) == _read(path, after) == "abcij"
    assert (after.total_items, path.use_cases.chunking.as_seen(before).total_items) == (5, 5)


def test_ids_come_by_position_in_any_number_of_parts(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = path.texts("a", "b", "c", "d", "e")
    set_id = stored.segment_set_version_id
    with path.adapters.open_unit_of_work() as uow:
        expected = [item.item_id.encode() for item in uow.segment_sets.items(set_id, start=0, limit=5)]
        for size in (1, 2, 5, 6):
            monkeypatch.setattr("shoald.adapters.postgres.set_items._IDS_AT_ONCE", size)
            assert uow.segment_sets.ids(set_id).tolist() == expected
        assert uow.segment_sets.ids("nothing").tolist() == []


def _read(path: RagPath, stored: SegmentSet | ChunkSet) -> str:
    """Return the texts, which are the same as JSON, as records, and from the third position on."""
    units = path.adapters.open_unit_of_work
    written = json.loads(f"[{','.join(json_batches(units, stored))}]")
    texts = "".join(item["content"] for item in written)
    assert _joined(item_batches(units, stored)) == texts
    assert _joined(item_batches(units, stored, start=2)) == texts[2:]
    return texts


def _joined(batches: Iterable[Sequence[SetItem]]) -> str:
    return "".join(item.content for batch in batches for item in batch)
