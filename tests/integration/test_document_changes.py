"""Documents of collections in a real PostgreSQL: changed, deleted, put in groups, counted and computed over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shoald.application.collection_documents import Import, Upsert
from shoald.application.document_reading import Wanted
from shoald.application.document_vectors import IncomingDocument
from shoald.application.listing import ListQuery, SortKey
from shoald.domain.failures import (
    AlreadyExists,
    CollectionDocumentNotFound,
    CollectionNotFound,
    DeadlineExceeded,
    InvalidFields,
    InvalidVectors,
)
from shoald.domain.records.aggregation import Aggregation, Figure, GroupKey, Having, Ranges
from shoald.domain.records.collection import DocumentBatch
from shoald.domain.records.event import Event
from support.cluster_world import ClusterWorld, cluster_world

pytestmark = pytest.mark.integration

BOOKS: list[dict[str, Any]] = [
    {"title": "whales", "year": 1851, "tags": ["sea", "animals"], "metadata": {"shelf": "a"}, "seen": "2026-01-04"},
    {"title": "fish", "year": 1950, "tags": ["sea"], "metadata": {"shelf": "a"}, "seen": "2026-01-05T10:00:00Z"},
    {"title": "birds", "year": 1990, "tags": ["animals"], "metadata": {"shelf": "b"}, "seen": "never"},
    {"title": "stones", "tags": [], "metadata": {"shelf": None}},
]


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def store(world: ClusterWorld, payloads: list[dict[str, Any]], *, collection: str = "books", first: int = 0) -> str:
    documents = [
        IncomingDocument(f"b{first + at}", payload, {"v": [1.0, first + at]}) for at, payload in enumerate(payloads)
    ]
    upsert = Upsert(namespace="default", collection=collection, documents=documents)
    return world.use_cases.collection_documents.upsert(world.caller, upsert).collection_id


def payload(world: ClusterWorld, document_id: str) -> dict[str, Any]:
    read = world.use_cases.collection_documents.get(world.caller, "books", document_id)
    return dict(read.document.payload)


def told(world: ClusterWorld) -> list[Event]:
    """Return what the events of collections say, in the order in which it happened."""
    with world.adapters.open_unit_of_work() as uow:
        return [event for event in uow.events.after(0, 1000) if event.subject_type == "collection"]


def test_fields_are_set_and_what_is_not_sent_stays(world: ClusterWorld) -> None:
    store(world, BOOKS)
    changes = world.use_cases.document_changes
    changes.update(world.caller, "books", "b0", {"year": 1852, "metadata": {"shelf": None, "room": 3}, "size.h": 2})
    assert payload(world, "b0") == {
        **BOOKS[0],
        "year": 1852,
        "metadata": {"room": 3},
        "size": {"h": 2},
    }
    read = world.use_cases.collection_documents.get(world.caller, "books", "b0", Wanted(all=True))
    assert np.asarray(read.vectors["v"]).tolist() == [1, 0]
    refused: list[dict[str, Any]] = [{}, {"document_id": "x"}, {"v": [1, 2]}, {"v.x": 1}, {"a..b": 1}, {"vectors": {}}]
    for fields in refused:
        with pytest.raises(InvalidFields):
            changes.update(world.caller, "books", "b0", fields)
    with pytest.raises(CollectionDocumentNotFound):
        changes.update(world.caller, "books", "nobody", {"a": 1})


def test_several_are_changed_at_once_and_those_that_are_not_there_are_said(world: ClusterWorld) -> None:
    store(world, BOOKS)
    updates: list[tuple[str, dict[str, Any]]] = [
        ("b0", {"metadata.shelf": "z"}),
        ("x", {"year": 1}),
        ("b1", {"metadata": {"new": 1}}),
        ("b0", {"n": 1}),
    ]
    outcomes = world.use_cases.document_changes.update_several(world.caller, "books", updates)
    assert [(one.document_id, one.error is None) for one in outcomes] == [
        ("b0", True),
        ("x", False),
        ("b1", True),
        ("b0", True),
    ]
    assert payload(world, "b0") == {**BOOKS[0], "metadata": {"shelf": "z"}, "n": 1}
    assert payload(world, "b1")["metadata"] == {"new": 1}


def test_all_that_meet_a_filter_are_changed_or_deleted(world: ClusterWorld) -> None:
    collection_id = store(world, [{"n": at, "even": at % 2 == 0} for at in range(2500)])
    changes, documents = world.use_cases.document_changes, world.use_cases.collection_documents
    assert changes.update_matching(world.caller, "books", {"even": True}, {"mark": 1}) == 1250
    assert documents.list(world.caller, "books", ListQuery(filters={"mark": 1}, include_total=True)).total == 1250
    assert changes.update_matching(world.caller, "books", None, {"mark": 2}) == 2500
    assert changes.delete_matching(world.caller, "books", {"field": "n", "operator": "lt", "value": 2000}) == 2000
    assert documents.count(world.caller, "books") == (collection_id, 500)
    with world.adapters.open_unit_of_work() as uow:
        stored = uow.collections.vectors(collection_id, ["b1999", "b2000"])
    assert [bool(stored[one]) for one in ("b1999", "b2000")] == [False, True]
    with pytest.raises(InvalidFields):
        changes.delete_matching(world.caller, "books", {})


def test_a_document_is_made_and_deleted(world: ClusterWorld) -> None:
    store(world, BOOKS)
    changes = world.use_cases.document_changes
    made = changes.create(world.caller, "books", {"title": "new", "vectors": {"v": [3, 4]}, "metadata": {"a": 1}})
    document_id = made.document.document_id
    assert document_id.startswith("doc_")
    assert payload(world, document_id) == {"title": "new", "metadata": {"a": 1}}
    with pytest.raises(AlreadyExists):
        changes.create(world.caller, "books", {"document_id": document_id})
    with pytest.raises(InvalidVectors):
        changes.create(world.caller, "books", {"vectors": {"v": [1, 2, 3]}})
    refused: list[dict[str, Any]] = [
        {"collection_id": "col_0000000000"},
        {"document_id": 5},
        {"vectors": [1]},
        {"_internal": {}},
    ]
    for bad in refused:
        with pytest.raises(InvalidFields):
            changes.create(world.caller, "books", bad)
    changes.delete(world.caller, "books", document_id)
    with pytest.raises(CollectionDocumentNotFound):
        changes.delete(world.caller, "books", document_id)
    assert world.use_cases.collection_documents.count(world.caller, "books")[1] == len(BOOKS)


def test_what_happens_to_documents_is_told_once_a_batch(world: ClusterWorld) -> None:
    store(world, BOOKS)
    store(world, BOOKS[:2], first=3)
    batches = [DocumentBatch(ids=[one], payloads=[{}], vectors=[]) for one in ("i0", "i1")]
    world.use_cases.collection_documents.import_batches(world.caller, Import(collection="books"), batches)
    changes = world.use_cases.document_changes
    changes.update_matching(world.caller, "books", None, {"a": 1})
    changes.delete_several(world.caller, "books", ["b0", "nobody"], reason="old")
    changes.delete_several(world.caller, "books", ["nobody"])
    said = [(event.event_type.value, event.metadata) for event in told(world)]
    assert [
        (name, metadata.get("document_count"), metadata.get("added_count"), metadata.get("written_by"))
        for name, metadata in said
    ] == [
        ("collection.created", None, None, None),
        ("collection.documents.written", 4, 4, "upsert"),
        ("collection.documents.batch_completed", 4, 4, "upsert"),
        ("collection.documents.written", 2, 1, "upsert"),
        ("collection.documents.batch_completed", 2, 1, "upsert"),
        ("collection.documents.written", 2, 2, "import"),
        ("collection.documents.batch_completed", 2, 2, "import"),
        ("documents.updated.batch", 7, 0, None),
        ("documents.deleted.batch", 1, None, None),
    ]
    assert said[-1][1]["reason"] == "old"


def test_every_document_falls_in_one_part_of_a_list(world: ClusterWorld) -> None:
    store(world, [{"n": at} for at in range(300)])
    documents = world.use_cases.collection_documents
    parts = [
        [one.document.document_id for one in documents.list(world.caller, "books", _whole(partition=(at, 3))).items]
        for at in range(3)
    ]
    assert all(parts)
    assert sorted(one for part in parts for one in part) == sorted(f"b{at}" for at in range(300))


def test_documents_of_a_namespace_are_paged_across_its_collections(world: ClusterWorld) -> None:
    first = store(world, BOOKS)
    second = store(world, BOOKS, collection="more")
    documents = world.use_cases.collection_documents
    seen: list[tuple[str, str]] = []
    query = ListQuery(limit=3)
    while True:
        page = documents.list_in_namespace(world.caller, [], query).page
        seen += [(one.document.collection_id, one.document.document_id) for one in page.items]
        if page.next_cursor is None:
            break
        query = ListQuery(limit=3, cursor=page.next_cursor)
    assert seen == sorted((one, f"b{at}") for one in (first, second) for at in range(len(BOOKS)))
    some = documents.list_in_namespace(world.caller, ["more", "none"], ListQuery(include_total=True))
    assert (some.unknown, some.page.total) == (("none",), len(BOOKS))
    with pytest.raises(CollectionNotFound):
        documents.list_in_namespace(world.caller, ["none"], ListQuery())
    found, missing = documents.get_many(world.caller, ["b1", "x", "b0", "b1"])
    assert [one.document.document_id for one in found] == ["b1", "b0"]
    assert missing == ["x"]
    assert {one.document.collection_id for one in found} == {second}, "the newest of each id"


def test_documents_that_fields_name_are_returned_with_them(world: ClusterWorld) -> None:
    store(world, [{"like": "b1", "also": ["b0", "x"]}, {"like": 5}])
    page = world.use_cases.collection_documents.list(
        world.caller, "books", ListQuery(), Wanted(expand=("like", "also"))
    )
    first, second = (dict(one.expanded or {}) for one in page.items)
    assert first["like"].document_id == "b1"
    assert [one and one.document_id for one in first["also"]] == ["b0", None]
    assert second == {"like": None, "also": None}


def test_groups_come_largest_first_and_show_their_first_documents(world: ClusterWorld) -> None:
    store(world, BOOKS)
    documents = world.use_cases.collection_documents
    groups = documents.group(world.caller, ["books"], ListQuery(limit=2, include_total=True), "metadata.shelf")
    shown = [(one.key, one.count, [row.document.document_id for row in one.documents]) for one in groups.page.items]
    assert shown == [("a", 2, ["b0", "b1"]), ("b", 1, ["b2"])]
    assert groups.page.total == 3
    query = ListQuery(limit=2, cursor=groups.page.next_cursor, include_total=True)
    last = documents.group(world.caller, ["books"], query, "metadata.shelf").page.items
    assert [(one.key, one.count) for one in last] == [(None, 1)]
    by_year = ListQuery(sort=(SortKey(field="year", descending=True),))
    sea = documents.group(world.caller, ["books"], by_year, "metadata.shelf").page.items[0]
    assert [row.document.document_id for row in sea.documents] == ["b1", "b0"]


def test_figures_over_groups(world: ClusterWorld) -> None:
    store(world, BOOKS)

    def ask(**asked: Any) -> list[tuple[Any, ...]]:
        answer = world.use_cases.document_figures.aggregate(world.caller, "books", Aggregation(**asked))
        return [(*group.key.values(), *group.figures.values()) for group in answer.groups]

    shelf = GroupKey(path=("metadata", "shelf"), alias="shelf")
    year = ("year",)
    numbers = ("count", "sum", "avg", "min", "max", "first", "last", "push", "add_to_set", "count_distinct")
    figures = tuple(Figure(function=one, alias=one, path=None if one == "count" else year) for one in numbers)
    assert ask(keys=(shelf,), figures=figures) == [
        ("a", 2, 3801, 1900.5, 1851, 1950, 1851, 1950, [1851, 1950], [1851, 1950], 2),
        ("b", 1, 1990, 1990, 1990, 1990, 1990, 1990, [1990], [1990], 1),
        (None, 1, 0, None, None, None, None, None, [], [], 0),
    ]
    count = (Figure(function="count", alias="n"),)
    assert ask(keys=(), figures=count) == [(4,)]
    tag = GroupKey(path=("tags",), alias="tag")
    assert ask(keys=(tag,), figures=count, unwind=("tags",), sort_by="tag", descending=False) == [
        ("animals", 2),
        ("sea", 2),
    ]
    many = (Having(alias="n", operator="gte", value=2),)
    assert ask(keys=(shelf,), figures=count, having=many) == [("a", 2)]
    ranges = Ranges(path=year, alias="year", boundaries=(1900, 1950), default="none")
    assert dict(ask(keys=(ranges,), figures=count)) == {"<1900": 1, "1900-1950": 1, ">1950": 1, "none": 1}
    day = GroupKey(path=("seen",), alias="day", date_trunc="day")
    assert dict(ask(keys=(day,), figures=count)) == {
        "2026-01-04T00:00:00Z": 1,
        "2026-01-05T00:00:00Z": 1,
        None: 2,
    }
    weekday = GroupKey(path=("seen",), alias="day", date_part="dayOfWeek")
    assert dict(ask(keys=(weekday,), figures=count)) == {1: 1, 2: 1, None: 2}
    for bad in (
        {"keys": (shelf, shelf), "figures": count},
        {"keys": (shelf,), "figures": (Figure(function="sum", alias="s"),)},
        {"keys": (), "figures": count, "sort_by": "x"},
        {"keys": (), "figures": count, "having": (Having(alias="x", operator="eq", value=1),)},
    ):
        with pytest.raises(InvalidFields):
            ask(**bad)


def test_values_of_a_field_with_the_documents_that_have_them(world: ClusterWorld) -> None:
    store(world, [*BOOKS, {"tags": ["sea", "sea"]}, {"tags": "sea"}])
    figures = world.use_cases.document_figures
    found = figures.distinct(world.caller, "books", ("tags",), None, 10)
    assert [(one.value, one.count) for one in found] == [("sea", 4), ("animals", 2)]
    assert [one.value for one in figures.distinct(world.caller, "books", ("tags",), {"title": "birds"}, 1)] == [
        "animals"
    ]


def test_a_question_that_takes_too_long_says_what_is_quick(postgres_database: str, data_dir: Path) -> None:
    with cluster_world(postgres_database, data_dir, document_query_seconds=0.001) as world:
        store(world, [{"text": "x" * 1000 + str(at)} for at in range(1000)])
        filters = {"field": "text", "operator": "regex", "value": "(x+)+y"}
        with pytest.raises(DeadlineExceeded, match="payload_indexes"):
            world.use_cases.collection_documents.list(world.caller, "books", ListQuery(filters=filters))


def _whole(**asked: Any) -> ListQuery:
    return ListQuery(limit=1000, **asked)


def revision(world: ClusterWorld) -> int:
    """Return what runs compare with what they read: another makes their member counts stale."""
    return world.use_cases.collections.get(world.caller, "books").revision


def test_whatever_changes_a_document_shows_in_runs_that_read_it(world: ClusterWorld) -> None:
    store(world, BOOKS)
    changes, named = world.use_cases.document_changes, (world.caller, "books")
    ways: list[Callable[[], object]] = [
        lambda: store(world, [{"title": "other"}]),
        lambda: changes.create(*named, {"document_id": "new"}),
        lambda: changes.update(*named, "b0", {"n": 1}),
        lambda: changes.update_several(*named, [("b0", {"n": 2})]),
        lambda: changes.update_matching(*named, {"n": 2}, {"n": 3}),
        lambda: changes.delete(*named, "b0"),
        lambda: changes.delete_several(*named, ["b1"]),
        lambda: changes.delete_matching(*named, {"year": 1990}),
    ]
    for at, way in enumerate(ways):
        before = revision(world)
        way()
        assert revision(world) > before, at
    before = revision(world)
    changes.update_several(*named, [("nobody", {"n": 2})])
    changes.delete_matching(*named, {"year": 1})
    assert revision(world) == before, "nothing has changed"
