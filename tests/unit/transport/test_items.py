from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.domain.records.segment_set import SetItem
from shoald.transport.json_values import documented
from shoald.transport.mapping.rag import segment_sets
from shoald.transport.mapping.rag.fields import to_timestamp
from shoald.transport.mapping.rag.items import columns, with_items
from support.builders import make_document, make_item, make_project, make_segment_set

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ITEMS = st.builds(
    make_item,
    st.integers(0, 1000),
    TEXT,
    metadata=st.dictionaries(TEXT, VALUES, max_size=4),
    parent_id=st.none() | TEXT.filter(bool),
    level=st.integers(0, 9),
    path=st.lists(TEXT, max_size=3).map(tuple),
)


@pytest.mark.parametrize(
    ("batches", "items"), [([], []), (['{"n": 1}'], [{"n": 1}]), (['"é","b"', "3"], ["é", "b", 3])]
)
def test_a_set_is_one_json_object_whatever_its_batches(batches: list[str], items: list[object]) -> None:
    _, version = make_document(make_project())
    message = segment_sets.to_message(make_segment_set(version, "p"))
    parts = list(with_items("segment_set", message, batches))
    body = json.loads(b"".join(part.data for part in parts))
    assert body == {"segment_set": documented(message), "items": items}
    assert [part.content_type for part in parts] == ["application/json", *[""] * (len(parts) - 1)]


def test_large_sets_are_cut_into_parts() -> None:
    _, version = make_document(make_project())
    message = segment_sets.to_message(make_segment_set(version, "p"))
    parts = list(with_items("segment_set", message, ['"' + "x" * 10_000 + '"'] * 100))
    assert len(parts) > 3
    assert max(len(part.data) for part in parts) <= 256 * 1024
    assert len(json.loads(b"".join(part.data for part in parts))["items"]) == 100


def test_one_large_item_is_cut_too() -> None:
    _, version = make_document(make_project())
    message = segment_sets.to_message(make_segment_set(version, "p"))
    parts = list(with_items("segment_set", message, ['{"content": "' + "ü" * 1_000_000 + '"}']))
    assert max(len(part.data) for part in parts) <= 256 * 1024
    assert json.loads(b"".join(part.data for part in parts))["items"][0]["content"] == "ü" * 1_000_000


@settings(max_examples=20)
@given(st.lists(st.lists(ITEMS, max_size=4), max_size=4))
def test_columns_hold_every_item_once(batches: list[list[SetItem]]) -> None:
    messages = list(columns(batches))
    items = [item for batch in batches for item in batch]
    assert [content for message in messages for content in message.content] == [item.content for item in items]
    metadata = [json.loads(text) for message in messages for text in message.metadata_json]
    assert metadata == [json.loads(json.dumps(item.metadata)) for item in items]
    assert [tuple(path.titles) for message in messages for path in message.path] == [item.path for item in items]


def test_times_always_show_six_digits() -> None:
    for microsecond in (0, 1000, 1, 999_999, 123_000):
        shown = to_timestamp(datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC)).ToJsonString()
        assert len(shown) == len("2026-01-02T03:04:05.123456Z")
