"""Whatever an item holds comes back as it was, one block or many."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from shoal.rag.v1 import item_pb2
from sqlalchemy import text

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitOfWork, PostgresUnitsOfWork
from shoald.domain.records.segment_set import SetItem
from shoald.transport.json_values import documented, to_struct
from support.builders import make_document, make_item, make_project, make_segment_set

pytestmark = pytest.mark.integration

AWKWARD = [
    "",
    "a\tb\nc\r\n",
    "\\",
    "\\N",
    "\\.",
    'say "x"',
    "{a,b}",
    "é 👩‍👩‍👧",
    "\v\f\b\x1f\x7f\u2028",
    "NULL",
    " ",
    "\\u0000",
    "𝄞",
]
NUMBERS = [1.5, 1e308, 5e-324, -1e-7, 2**53, -(2**53), 0.1, True, None]


@pytest.mark.parametrize("times", [1, 400])
def test_awkward_texts_come_back(postgres_database: str, times: int) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    project = make_project()
    document, version = make_document(project)
    segment_set = make_segment_set(version, project.project_id)
    items = [
        make_item(
            position, word, metadata={word: [word, *NUMBERS]}, parent_id=word or None, path=(word, "b"), type=word
        )
        for position, word in enumerate(AWKWARD * times)
    ]
    with PostgresUnitsOfWork(engine)() as uow:
        uow.projects.add(project)
        uow.documents.add(document, version)
        uow.segment_sets.add(segment_set)
        uow.segment_sets.write_items(segment_set.segment_set_version_id, items)
        uow.segment_sets.write_items(segment_set.segment_set_version_id, [])
        found = uow.segment_sets.items(segment_set.segment_set_version_id, start=0, limit=len(items) + 1)
        assert [plain(item) for item in found] == [plain(item) for item in items]
        written = uow.segment_sets.items_as_json(segment_set.segment_set_version_id, start=1, limit=99, hidden={3, 999})
        shown = [as_documented(item) for item in [*items[1:3], *items[4:100]]]
        assert json.loads(f"[{written}]", parse_int=float) == shown  # 1e308 has all its digits
        assert [list(one) for one in json.loads(f"[{written}]")] == [list(one) for one in shown]
    engine.dispose()


def as_documented(item: SetItem) -> dict[str, object]:
    """Return an item as Envoy would show its message."""
    message = item_pb2.SegmentItem(
        item_id=item.item_id,
        position=item.position,
        content=item.content,
        metadata=to_struct(item.metadata),
        parent_id=item.parent_id,
        level=item.level,
        path=item.path,
        type=item.type,
        original_format=item.original_format,
    )
    shown: dict[str, object] = documented(message)
    return shown


def plain(item: SetItem) -> tuple[object, ...]:
    place = (item.position, item.parent_id, item.level, item.path)
    return item.item_id, item.content, dict(item.metadata), place, item.type, item.original_format


def test_a_range_of_a_large_new_set_is_read_without_the_rest(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    project = make_project()
    document, version = make_document(project)
    segment_set = make_segment_set(version, project.project_id)
    set_id = segment_set.segment_set_version_id
    with PostgresUnitsOfWork(engine)() as uow:
        uow.projects.add(project)
        uow.documents.add(document, version)
        uow.segment_sets.add(segment_set)
        uow.segment_sets.write_items(set_id, (make_item(position, "text") for position in range(5_000)))
        uow.commit()
    with PostgresUnitsOfWork(engine)() as uow:
        assert len(uow.segment_sets.items(set_id, start=100, limit=50)) == 50
        assert len(uow.segment_sets.texts(set_id, start=4_980, limit=50)) == 20
        assert _rows_looked_at(uow) < 500
    engine.dispose()


class TooManyToGoThrough(set[int]):
    """Positions of which one may be asked for."""

    def __iter__(self) -> Iterator[int]:
        raise AssertionError("gone through")


def test_hidden_items_are_asked_for_not_gone_through(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    with PostgresUnitsOfWork(engine)() as uow:
        set_id = _set_of(uow, 4)
        written = uow.segment_sets.items_as_json(set_id, start=1, limit=2, hidden=TooManyToGoThrough({0, 2, 99}))
        assert [item["position"] for item in json.loads(f"[{written}]")] == [1]
    engine.dispose()


def test_a_set_that_is_being_written_is_not_there_for_others_and_leaves_nothing(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits(lock_seconds=5))
    deleting = text("DELETE FROM segment_sets")
    with PostgresUnitsOfWork(engine)() as uow:
        _set_of(uow, 2)
        with engine.begin() as other:
            assert other.execute(deleting).rowcount == 0
    with PostgresUnitsOfWork(engine)() as uow:
        kept = _set_of(uow, 1)
        uow.commit()
    with engine.begin() as connection:
        assert connection.scalars(text("SELECT segment_set_version_id FROM segment_items")).all() == [kept]
    engine.dispose()


def _set_of(uow: PostgresUnitOfWork, count: int) -> str:
    """Write a set of so many items, in a project of its own, and return its id."""
    project = make_project()
    document, version = make_document(project)
    segment_set = make_segment_set(version, project.project_id)
    uow.projects.add(project)
    uow.documents.add(document, version)
    uow.segment_sets.add(segment_set)
    uow.segment_sets.write_items(segment_set.segment_set_version_id, [make_item(n, "text") for n in range(count)])
    return segment_set.segment_set_version_id


def test_items_go_with_their_set(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    project = make_project()
    document, version = make_document(project)
    kept, gone = (make_segment_set(version, project.project_id) for _ in range(2))
    with PostgresUnitsOfWork(engine)() as uow:
        uow.projects.add(project)
        uow.documents.add(document, version)
        for segment_set in (kept, gone):
            uow.segment_sets.add(segment_set)
            uow.segment_sets.write_items(segment_set.segment_set_version_id, [make_item(0, "text")])
        uow.commit()
    with engine.begin() as connection:
        statement = text("DELETE FROM segment_sets WHERE segment_set_version_id = :set_id")
        connection.execute(statement, {"set_id": gone.segment_set_version_id})
        left = connection.scalars(text("SELECT segment_set_version_id FROM segment_items")).all()
    assert left == [kept.segment_set_version_id]
    engine.dispose()


def _rows_looked_at(uow: PostgresUnitOfWork) -> int:
    counted = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'segment_items'"
    return int(uow._connection.execute(text(counted)).scalar_one())
