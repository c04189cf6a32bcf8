from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import sqlalchemy
from psycopg.pq import TransactionStatus

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.domain.failures import Busy, DeadlineExceeded, InvalidFields, Unavailable
from shoald.domain.records.document import Document, DocumentVersion
from shoald.domain.records.project import Project
from shoald.domain.records.segment_set import SegmentSet
from support.builders import make_document, make_item, make_project, make_segment_set

pytestmark = pytest.mark.integration


@pytest.fixture
def open_unit_of_work(postgres_database: str) -> Iterator[PostgresUnitsOfWork]:
    engine = make_engine(postgres_database, DatabaseLimits(pool_size=4, statement_seconds=5, checkout_seconds=0.2))
    yield PostgresUnitsOfWork(engine)
    engine.dispose()


def _store(open_unit_of_work: PostgresUnitsOfWork) -> tuple[Project, Document, DocumentVersion]:
    project = make_project()
    document, version = make_document(project)
    with open_unit_of_work() as uow:
        uow.projects.add(project)
        uow.documents.add(document, version)
        uow.commit()
    return project, document, version


def test_what_is_not_committed_is_rolled_back(open_unit_of_work: PostgresUnitsOfWork) -> None:
    project = make_project()
    with open_unit_of_work() as uow:
        uow.projects.add(project)
    with open_unit_of_work() as uow:
        assert uow.projects.get(project.project_id, namespace_id=project.namespace_id) is None


def test_a_project_is_read_as_it_was_stored_and_only_from_its_namespace(open_unit_of_work: PostgresUnitsOfWork) -> None:
    project = make_project(settings={"extra": {"b": 1, "a": [1.5, None, "ü"]}})
    with open_unit_of_work() as uow:
        uow.projects.add(project)
        uow.commit()
    with open_unit_of_work() as uow:
        assert uow.projects.get(project.project_id, namespace_id=project.namespace_id) == project
        assert uow.projects.get(project.project_id, namespace_id="ns_of_another") is None


def test_opening_builds_no_part_of_a_statement(
    open_unit_of_work: PostgresUnitsOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To copy the columns of two tables once took a quarter of the time of a retrieval."""
    with open_unit_of_work():
        pass

    def refused(table: sqlalchemy.Table) -> None:
        pytest.fail(f"another copy of {table.name}")

    monkeypatch.setattr(sqlalchemy.Table, "alias", refused)
    with open_unit_of_work():
        pass


def test_reading_needs_no_transaction_and_commits_nothing(open_unit_of_work: PostgresUnitsOfWork) -> None:
    project, _, _ = _store(open_unit_of_work)
    with open_unit_of_work(reading=True) as uow:
        assert uow.projects.get(project.project_id, namespace_id=project.namespace_id) == project
        driver: Any = uow._connection.connection.driver_connection
        assert driver.info.transaction_status is TransactionStatus.IDLE
        with pytest.raises(TypeError):
            uow.commit()
    with open_unit_of_work() as uow:  # the connection is the same one
        uow.projects.add(make_project(project_id="rolled-back"))
    with open_unit_of_work(reading=True) as uow:
        assert uow.projects.get("rolled-back", namespace_id=project.namespace_id) is None


@pytest.mark.parametrize("reading", [False, True])
def test_connections_that_the_server_ended_meanwhile_are_not_lent(
    open_unit_of_work: PostgresUnitsOfWork, postgres_database: str, *, reading: bool
) -> None:
    with open_unit_of_work(), open_unit_of_work():
        pass
    with psycopg.connect(postgres_database, autocommit=True) as other:
        ended = other.execute(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert ended == (2,)
    for _ in range(3):
        with open_unit_of_work(reading=reading) as uow:
            assert uow.projects.get("none", namespace_id="none") is None


def test_nul_in_text_is_an_invalid_field(open_unit_of_work: PostgresUnitsOfWork) -> None:
    for project in (make_project(name="a\0b"), make_project(settings={"extra": {"x": "a\0b"}})):
        with pytest.raises(InvalidFields), open_unit_of_work() as uow:
            uow.projects.add(project)


def test_a_statement_that_takes_too_long_is_given_up(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits(statement_seconds=0.05))
    with pytest.raises(DeadlineExceeded), PostgresUnitsOfWork(engine)() as uow:
        uow._connection.execute(sqlalchemy.text("SELECT pg_sleep(5)"))
    engine.dispose()


def test_when_all_connections_are_in_use_the_caller_is_told_to_wait(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits(pool_size=1, checkout_seconds=0.05))
    units = PostgresUnitsOfWork(engine)
    with units(), pytest.raises(Busy), units():
        pass
    engine.dispose()


def test_a_database_that_is_not_there_is_unavailable() -> None:
    engine = make_engine("postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(Unavailable), PostgresUnitsOfWork(engine)():
        pass


def test_a_connection_that_died_is_replaced(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as killer, open_unit_of_work() as victim:
        other = victim._connection.execute(sqlalchemy.text("SELECT pg_backend_pid()")).scalar_one()
        killer._connection.execute(sqlalchemy.text("SELECT pg_terminate_backend(:pid)"), {"pid": other})
    with open_unit_of_work() as uow:
        assert uow._connection.execute(sqlalchemy.text("SELECT 1")).scalar_one() == 1


def test_items_come_back_as_they_were_written(open_unit_of_work: PostgresUnitsOfWork) -> None:
    project, _, version = _store(open_unit_of_work)
    segment_set = make_segment_set(version, project.project_id, total_items=3)
    items = [
        make_item(0, "plain"),
        make_item(
            1, "tab\tnewline\nbackslash\\ \\N ü 😀", metadata={"k": {"n": [1, 2.5, None, True]}}, path=("A", 'B"{,}')
        ),
        make_item(2, "", parent_id="p", level=2, type="table", original_format="markdown"),
    ]
    with open_unit_of_work() as uow:
        uow.segment_sets.add(segment_set)
        uow.segment_sets.write_items(segment_set.segment_set_version_id, items[:2])
        uow.segment_sets.write_items(segment_set.segment_set_version_id, items[2:])
        uow.commit()
    with open_unit_of_work() as uow:
        assert uow.segment_sets.items(segment_set.segment_set_version_id, start=0, limit=10) == items
        assert uow.segment_sets.items(segment_set.segment_set_version_id, start=1, limit=1) == items[1:2]
        assert uow.segment_sets.items_at(segment_set.segment_set_version_id, [2, 0, 7]) == {0: items[0], 2: items[2]}
        texts = uow.segment_sets.texts(segment_set.segment_set_version_id, start=1, limit=9)
        assert texts == [(item.item_id, item.content) for item in items[1:]]


def test_one_set_of_a_version_is_active_however_many_are_made_at_once(open_unit_of_work: PostgresUnitsOfWork) -> None:
    project, _, version = _store(open_unit_of_work)
    sets = [make_segment_set(version, project.project_id) for _ in range(4)]
    failures: list[Exception] = []

    def finish(segment_set: SegmentSet) -> None:
        try:
            with open_unit_of_work() as uow:
                uow.segment_sets.add(segment_set)
                uow.documents.lock_version(version.version_id)
                uow.segment_sets.finish(replace(segment_set, total_items=7, total_characters=70))
                uow.commit()
        except Exception as failure:  # noqa: BLE001 - the main thread asserts that there is none
            failures.append(failure)

    threads = [threading.Thread(target=finish, args=(segment_set,)) for segment_set in sets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with open_unit_of_work() as uow:
        stored = uow.segment_sets.list(project.project_id, offset=0, limit=10)
        assert sorted(one.is_active for one in stored) == [False, False, False, True]
        active = uow.segment_sets.active_of_documents(project.project_id)
        assert [one.total_items for one in active] == [7]


def test_a_join_renames_items_and_parents_alike(open_unit_of_work: PostgresUnitsOfWork) -> None:
    project, _, version = _store(open_unit_of_work)
    source = make_segment_set(version, project.project_id, total_items=2)
    joined = replace(make_segment_set(version, project.project_id), document_version_id=None)
    first, second = make_item(0, "top", metadata={"page": 1, "document_id": "theirs"}), make_item(1, "below")
    second = replace(second, parent_id=first.item_id)
    with open_unit_of_work() as uow:
        uow.segment_sets.add(source)
        uow.segment_sets.write_items(source.segment_set_version_id, [first, second])
        uow.segment_sets.add(joined)
        uow.segment_sets.join_items(
            joined.segment_set_version_id, source, first_position=5, metadata={"document_id": "ours"}
        )
        uow.commit()
    with open_unit_of_work() as uow:
        top, below = uow.segment_sets.items(joined.segment_set_version_id, start=0, limit=10)
    assert below.parent_id == top.item_id != first.item_id
    assert top.metadata == {"page": 1, "document_id": "ours"}
    assert top.item_id[14] == "4"
    assert [top.position, below.position] == [5, 6]
