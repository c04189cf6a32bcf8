from __future__ import annotations

from collections.abc import Iterator

import pytest

from shoald.application.chunking import check_growth, chunks_of, estimated_seconds
from shoald.application.jobs import INLINE_SECONDS
from shoald.domain.failures import InvalidChunkerParams
from shoald.domain.json_types import JsonObject, JsonText
from support.builders import make_document, make_item, make_project, make_segment_set


def halves(text: str) -> Iterator[tuple[int, int]]:
    middle = len(text) // 2
    yield 0, middle
    yield middle, len(text)


def test_chunks_keep_their_segments_place_kind_and_metadata() -> None:
    segment = make_item(
        7, "abcd", metadata={"page": 3, "start": "theirs"}, parent_id="p", level=2, path=("A",), type="table"
    )
    first, second = chunks_of([segment], halves)
    assert (first.content, second.content) == ("ab", "cd")
    assert (first.position, second.position) == (0, 1)
    assert (first.parent_id, first.level, first.path, first.type) == ("p", 2, ("A",), "table")
    where = {"page": 3, "source_segment_item_id": segment.item_id}
    assert first.metadata == {**where, "chunk_index": 0, "start": 0, "end": 2}
    assert second.metadata == {**where, "chunk_index": 1, "start": 2, "end": 4}
    assert len({segment.item_id, first.item_id, second.item_id}) == 3


def test_blank_chunks_are_dropped_and_leave_a_gap_in_the_index() -> None:
    chunks = list(chunks_of([make_item(0, "  ab"), make_item(1, "  ")], halves))
    assert [(chunk.content, chunk.position, chunk.metadata["chunk_index"]) for chunk in chunks] == [("ab", 0, 1)]


@pytest.mark.parametrize("params", [{"chunk_size": 1}, {"chunk_size": 1000, "chunk_overlap": 999}])
def test_small_steps_through_a_text_are_known_to_take_long(params: dict[str, int]) -> None:
    project = make_project()
    _, version = make_document(project)
    text = make_segment_set(version, project.project_id, total_items=1, total_characters=250_000)
    assert estimated_seconds(text, "recursive", params) > 10 * INLINE_SECONDS
    assert estimated_seconds(text, "recursive", {}) < INLINE_SECONDS


@pytest.mark.parametrize(
    ("characters", "params"),
    [
        (10_000_000, {"chunk_size": 4000, "chunk_overlap": 3999}),
        (1_000_000, {"chunk_size": 400_000, "chunk_overlap": 399_999}),
    ],
)
def test_an_overlap_that_would_make_gigabytes_is_refused(characters: int, params: dict[str, int]) -> None:
    with pytest.raises(InvalidChunkerParams, match="would make chunks of about") as caught:
        check_growth(characters, params)
    assert caught.value.detail["parameter"] == "chunk_overlap"


@pytest.mark.parametrize(
    ("characters", "params"),
    [
        (10**10, {"chunk_size": 1000, "chunk_overlap": 900}),
        (100_000, {"chunk_size": 1000, "chunk_overlap": 999}),
        (1_000_000, {"chunk_size": 1_000_000_000, "chunk_overlap": 999_999_999}),
        (10**10, {}),
    ],
)
def test_what_people_ask_for_is_not_refused(characters: int, params: dict[str, int]) -> None:
    check_growth(characters, params)


def test_metadata_in_any_form_are_laid_under_the_documented_keys() -> None:
    forms: tuple[JsonObject, ...] = (
        {"chunk_index": 7, "é": ["\n"]},
        JsonText('{"chunk_index": 7, "é": ["\\n"]}'),
        JsonText(" {} "),
        {},
    )
    segments = [make_item(n, "ab", metadata=metadata) for n, metadata in enumerate(forms)]
    chunks = list(chunks_of(segments, halves))
    assert [chunk.position for chunk in chunks] == list(range(8))
    assert [chunk.metadata["chunk_index"] for chunk in chunks] == [0, 1] * 4
    assert [chunk.metadata.get("é") for chunk in chunks[::2]] == [["\n"], ["\n"], None, None]
    assert len({chunk.item_id for chunk in chunks}) == 8
