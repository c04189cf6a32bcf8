"""The migrations give the schema that the tables describe, and can be taken back."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.migrating import (
    MissingRightsError,
    configuration,
    current_revision,
    migrate,
    newest_revision,
)
from shoald.adapters.postgres.tables import metadata
from shoald.domain.identifiers import new_uuid

pytestmark = pytest.mark.integration


def test_the_migrated_schema_is_that_of_the_tables(postgres_database: str) -> None:
    migrate(postgres_database)
    engine = make_engine(postgres_database, DatabaseLimits())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_vectors_are_stored_uncompressed_beside_their_rows(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        stored = connection.execute(
            "SELECT attrelid::regclass::text, attstorage FROM pg_attribute WHERE attname = 'vector' AND attnum > 0"
            " AND attrelid IN ('embeddings'::regclass, 'document_vectors'::regclass) ORDER BY 1"
        ).fetchall()
        sizes = connection.execute(
            "SELECT reloptions FROM pg_class WHERE oid = 'document_vectors'::regclass"
        ).fetchone()
    assert stored == [("document_vectors", "e"), ("embeddings", "e")]
    assert sizes == (["toast_tuple_target=8160"],)


def test_the_namespace_default_is_there_from_the_start(postgres_database: str) -> None:
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT namespace_name FROM namespaces").fetchall() == [("default",)]


def test_down_and_up_again_gives_the_same_schema(postgres_database: str) -> None:
    before = _columns(postgres_database)
    engine = make_engine(postgres_database, DatabaseLimits())
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "base")
    engine.dispose()
    assert current_revision(postgres_database) is None
    migrate(postgres_database)
    assert current_revision(postgres_database) == newest_revision()
    assert _columns(postgres_database) == before


def _columns(url: str) -> list[tuple[str | None, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
            " WHERE table_schema = 'public' ORDER BY 1, ordinal_position"
        ).fetchall()


_STORED_BEFORE = """
INSERT INTO projects (project_id, namespace_id, name, created_at, updated_at)
VALUES ('p', 'ns_default', 'Docs', now(), now());
INSERT INTO documents (document_id, project_id, filename, mime, storage_uri, metadata, created_at, updated_at)
VALUES ('d', 'p', 'notes.txt', 'text/plain', 'shoal://objects/x', '{"size": 7}', '2026-01-01', '2026-01-01');
INSERT INTO document_versions (version_id, document_id, content_hash, producer_type, producer_version, status,
                               created_at)
VALUES ('v', 'd', 'abc', 'rag_api', '0', 'succeeded', '2026-01-01');
INSERT INTO segment_sets (segment_set_version_id, project_id, document_version_id, producer_type, producer_version,
                          created_at, total_items, total_characters)
VALUES ('s', 'p', 'v', 'rag_lib', '0', '2026-01-02', 0, 0);
"""


def test_what_was_stored_before_the_feed_is_in_it_and_versions_know_their_files(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0001")
    engine.dispose()
    with psycopg.connect(postgres_database) as connection:
        connection.execute(_STORED_BEFORE)
    migrate(postgres_database)
    with psycopg.connect(postgres_database) as connection:
        connection.execute(
            "INSERT INTO indexes (index_id, project_id, name, provider, index_type, status, created_at, updated_at)"
            " VALUES ('i', 'p', 'main', 'faiss', 'chunk_vectors', 'created', now(), now())"
        )
        connection.commit()
        feed = connection.execute("SELECT number, artifact_kind, artifact_id FROM artifacts ORDER BY number").fetchall()
        files = connection.execute("SELECT filename, mime, size FROM document_versions").fetchall()
    assert feed == [(1, "document", "d"), (2, "document_version", "v"), (3, "segment_set", "s"), (4, "index", "i")]
    assert files == [("notes.txt", "text/plain", 7)]


_STRAYS = """
INSERT INTO namespaces (namespace_id, namespace_name, mode, created_at, updated_at)
VALUES ('ns_other', 'ns_gone2', 'managed', now(), now());
INSERT INTO projects (project_id, namespace_id, name, created_at, updated_at)
SELECT 'p' || n, 'ns_gone' || n % 3, 'Docs', now(), now() FROM generate_series(1, 6) AS n;
"""


def test_projects_whose_namespace_is_gone_get_it_back(postgres_database: str) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    with engine.begin() as connection:
        command.downgrade(configuration(connection), "0009")
    engine.dispose()
    with psycopg.connect(postgres_database) as connection:
        connection.execute(_STRAYS)
    migrate(postgres_database)
    with psycopg.connect(postgres_database) as connection:
        names = connection.execute(
            "SELECT namespace_name FROM namespaces WHERE namespace_id LIKE 'ns_gone%'"
        ).fetchall()
        assert len(connection.execute("SELECT FROM projects").fetchall()) == 6
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("DELETE FROM namespaces WHERE namespace_id = 'ns_gone1'")
    assert {name[:9] for (name,) in names} == {"ns_gone0", "ns_gone1", "restored "}


def test_a_user_who_may_not_make_the_role_is_told_what_it_needs(postgres_database: str) -> None:
    user = f"user_{new_uuid().replace('-', '')}"
    name = sql.Identifier(user)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(name))
        try:
            url = urlunsplit(urlsplit(postgres_database)._replace(path=f"/{user}"))
            with pytest.raises(MissingRightsError, match="shoal_tenant"):
                migrate(f"{url}{'&' if '?' in url else '?'}options=-crole%3D{user}")
        finally:
            connection.execute(sql.SQL("DROP DATABASE {}").format(name))
            connection.execute(sql.SQL("DROP ROLE {}").format(name))
