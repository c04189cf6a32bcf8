"""Row-level security: every table that has a namespace is guarded, and a session sees its caller's rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import text

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.identity import NOBODY, TENANT
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application.access import Caller, act_as
from shoald.domain.failures import NotFound
from shoald.domain.records.api_key import ApiKey
from shoald.domain.records.segment_set import SegmentSet
from support.builders import NOW, make_document, make_item, make_project, make_segment_set

pytestmark = pytest.mark.integration

A, B = Caller(namespace_id="ns_a"), Caller(namespace_id="ns_b")
# reached by callers, and guarded by their statements, which ask whether the set or collection is seen
BY_STATEMENT = {"collection_documents", "document_vectors", "segment_items", "chunk_items"}
# vectors of texts, by hash: they belong to nobody
SHARED = {"embeddings"}


@pytest.fixture
def opens(postgres_database: str) -> Iterator[PostgresUnitsOfWork]:
    with psycopg.connect(postgres_database) as connection:
        connection.execute(
            "INSERT INTO namespaces (namespace_id, namespace_name, mode, created_at, updated_at)"
            " SELECT id, id, 'managed', now(), now() FROM unnest(%s::text[]) AS id",
            [[A.namespace_id, B.namespace_id]],
        )
    engine = make_engine(postgres_database, DatabaseLimits(pool_size=2, checkout_seconds=1.0))
    yield PostgresUnitsOfWork(engine, nobody=NOBODY)
    engine.dispose()


@contextmanager
def working_for(caller: Caller | None) -> Iterator[None]:
    act_as(caller)
    try:
        yield
    finally:
        act_as(None)


def add_project(opens: PostgresUnitsOfWork, namespace_id: str) -> str:
    project = make_project(namespace_id=namespace_id)
    with working_for(Caller(namespace_id=namespace_id)), opens() as uow:
        uow.projects.add(project)
        uow.commit()
    return project.project_id


def a_set(project_id: str) -> SegmentSet:
    _, version = make_document(make_project(project_id=project_id))
    return make_segment_set(version, project_id, document_version_id=None)


def seen(opens: PostgresUnitsOfWork, table: str, *, reading: bool = False) -> int:
    with opens(reading=reading) as uow:
        found = uow._connection.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - a table
        return int(found.scalar_one())


def guarded(url: str) -> dict[str, tuple[bool, bool, bool]]:
    """Return of each table whether callers may touch it, whether it is guarded, and whether it has a namespace."""
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT c.relname, has_any_column_privilege(%s, c.oid, 'SELECT'), c.relrowsecurity AND EXISTS ("
            "  SELECT FROM pg_policies p WHERE p.tablename = c.relname AND %s = ANY (p.roles)),"
            " EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'namespace_id')"
            " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace",
            (TENANT, TENANT),
        ).fetchall()
    return {name: (bool(may), bool(guard), bool(has)) for name, may, guard, has in rows}


def test_every_table_that_has_a_namespace_is_guarded(postgres_database: str) -> None:
    found = guarded(postgres_database)
    assert {name for name, (_, guard, has) in found.items() if has and not guard} == set()
    assert {name for name, (may, guard, _) in found.items() if may and not guard} == BY_STATEMENT | SHARED


def test_callers_may_not_touch_what_is_the_systems(postgres_database: str) -> None:
    found = guarded(postgres_database)
    hidden = {name for name, (may, _, _) in found.items() if not may}
    assert {"api_keys", "workers", "event_readers", "alembic_version"} <= hidden


def test_the_callers_role_can_neither_log_in_nor_pass_over_policies(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        role = connection.execute(
            "SELECT rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", (TENANT,)
        ).fetchone()
    assert role == (False, False, False)


@pytest.mark.parametrize("reading", [False, True])
def test_a_caller_sees_its_own_rows_on_whatever_connection(opens: PostgresUnitsOfWork, reading: bool) -> None:  # noqa: FBT001
    add_project(opens, "ns_a")
    add_project(opens, "ns_b")
    add_project(opens, "ns_b")
    for caller, expected in [(A, 1), (B, 2), (A, 1), (None, 0), (B, 2), (None, 0)]:
        with working_for(caller):
            assert seen(opens, "projects", reading=reading) == expected
    with opens.for_the_system(reading=reading) as uow:
        assert uow._connection.execute(text("SELECT count(*) FROM projects")).scalar_one() == 3


def test_who_a_session_is_outlives_commits_and_rollbacks(opens: PostgresUnitsOfWork) -> None:
    add_project(opens, "ns_a")
    with working_for(B), opens() as uow:
        uow.projects.add(make_project(namespace_id="ns_b"))
        uow.commit()
        assert uow._connection.execute(text("SELECT count(*) FROM projects")).scalar_one() == 1
        uow._connection.rollback()
        assert uow._connection.execute(text("SELECT count(*) FROM projects")).scalar_one() == 1


def test_a_caller_cannot_write_into_another_namespace(opens: PostgresUnitsOfWork) -> None:
    with working_for(B), pytest.raises(NotFound), opens() as uow:
        uow.projects.add(make_project(namespace_id="ns_a"))
    foreign = add_project(opens, "ns_a")
    with working_for(B), pytest.raises(NotFound), opens() as uow:
        uow.segment_sets.add(a_set(foreign))


def test_what_hangs_below_is_seen_with_what_it_hangs_below(opens: PostgresUnitsOfWork) -> None:
    project_id = add_project(opens, "ns_a")
    stored = a_set(project_id)
    with working_for(A), opens() as uow:
        uow.segment_sets.add(stored)
        uow.segment_sets.write_items(stored.segment_set_version_id, [make_item(n, "text") for n in range(3)])
        uow.commit()
        assert len(uow.segment_sets.items(stored.segment_set_version_id, start=0, limit=9)) == 3
    with working_for(B), opens() as uow:
        assert uow.segment_sets.items(stored.segment_set_version_id, start=0, limit=9) == []
        assert uow.segment_sets.get(stored.segment_set_version_id, namespace_id="ns_a") is None
    with working_for(B):
        assert [seen(opens, table) for table in ("segment_sets", "artifacts", "artifact_feeds")] == [0, 0, 0]


def test_a_key_of_a_project_sees_that_project_alone(opens: PostgresUnitsOfWork) -> None:
    mine, other = add_project(opens, "ns_a"), add_project(opens, "ns_a")
    key = ApiKey(
        key_id="0" * 16,
        name="x",
        secret_hash=b"",
        scopes=frozenset(),
        namespace_ids=("ns_a",),
        project_ids=(mine,),
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    with working_for(replace(A, key=key)), opens() as uow:
        assert uow.projects.get(mine, namespace_id="ns_a") is not None
        assert uow.projects.get(other, namespace_id="ns_a") is None
    with working_for(replace(A, key=key)), pytest.raises(NotFound), opens() as uow:
        uow.projects.add(make_project(namespace_id="ns_a"))


def test_keys_are_read_by_the_system_alone(opens: PostgresUnitsOfWork) -> None:
    with opens.for_the_system() as uow:
        assert uow.api_keys.list() == []
    with working_for(A), pytest.raises(NotFound), opens() as uow:
        uow.api_keys.list()
