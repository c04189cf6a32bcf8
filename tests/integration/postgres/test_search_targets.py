from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application.access import Caller
from shoald.application.retrieval_requests import read_request
from shoald.application.search_targets import find_target, first_look
from shoald.domain.failures import ChunkSetNotFound, IndexBuildNotFound, ProjectNotFound
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.document import Document
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.project import Project
from support.builders import NOW, make_document, make_project, make_segment_set

pytestmark = pytest.mark.integration

CALLER = Caller(namespace_id="ns_default")
MADE: dict[str, Any] = {"params": {}, "artifact_uri": None, "producer_type": "rag_lib", "producer_version": "0"}


@dataclass(frozen=True)
class Stored:
    """A project with a chunk set, made of one document, and a build over it."""

    project: Project
    document: Document
    version_id: str
    chunk_set: ChunkSet
    index: Index
    build: IndexBuild


@pytest.fixture
def engine(postgres_database: str) -> Iterator[Engine]:
    engine = make_engine(postgres_database, DatabaseLimits(pool_size=2, checkout_seconds=1.0))
    yield engine
    engine.dispose()


@pytest.fixture
def opens(engine: Engine) -> PostgresUnitsOfWork:
    return PostgresUnitsOfWork(engine)


@pytest.fixture
def stored(opens: PostgresUnitsOfWork) -> Stored:
    project = make_project(settings={"extra": {"a": 1}})
    document, version = make_document(project, filename="a.json")
    segments = make_segment_set(version, project.project_id)
    chunk_set = ChunkSet(
        chunk_set_version_id="chunks",
        project_id=project.project_id,
        segment_set_version_id=segments.segment_set_version_id,
        parent_chunk_set_version_id=None,
        input_refs={},
        is_active=False,
        is_deleted=False,
        created_at=NOW,
        total_items=3,
        total_characters=9,
        **MADE,
    )
    index = Index(
        index_id="index",
        project_id=project.project_id,
        name="main",
        provider="faiss",
        index_type="vector",
        config={"collection_name": "x"},
        params={},
        status="ready",
        is_deleted=False,
        created_at=NOW,
        updated_at=NOW,
    )
    build = IndexBuild(
        build_id="build",
        index_id="index",
        project_id=project.project_id,
        chunk_set_version_id="chunks",
        input_refs={},
        manifest={"dimension": 3},
        status="succeeded",
        is_active=True,
        is_deleted=False,
        created_at=NOW,
        updated_at=NOW,
        **MADE,
    )
    with opens() as uow:
        uow.projects.add(project)
        uow.documents.add(document, version)
        uow.segment_sets.add(segments)
        uow.chunk_sets.add(chunk_set)
        uow.chunk_sets.finish(chunk_set)
        uow.indexes.add(index)
        uow.index_builds.add(build)
        uow.commit()
    return Stored(project, document, version.version_id, replace(chunk_set, is_active=True), index, build)


def test_a_build_is_read_with_all_that_a_search_in_it_needs(opens: PostgresUnitsOfWork, stored: Stored) -> None:
    with opens(reading=True) as uow:
        found = uow.search_targets.of_build(stored.project.project_id, "build", namespace_id=CALLER.namespace_id)
    assert found is not None
    assert (found.project, found.document, found.version_id) == (stored.project, stored.document, stored.version_id)
    assert (found.build, found.index, found.chunk_set) == (stored.build, stored.index, stored.chunk_set)


@pytest.mark.parametrize("set_id", [None, "chunks"])
def test_a_chunk_set_is_read_with_its_document(opens: PostgresUnitsOfWork, stored: Stored, set_id: str | None) -> None:
    with opens(reading=True) as uow:
        found = uow.search_targets.of_chunk_set(stored.project.project_id, set_id, namespace_id=CALLER.namespace_id)
    assert found is not None
    assert (found.project, found.chunk_set, found.document) == (stored.project, stored.chunk_set, stored.document)
    assert (found.version_id, found.build, found.index) == (stored.version_id, None, None)


@pytest.mark.parametrize("hidden", ["chunk_sets", "segment_sets", "document_versions", "documents"])
def test_what_is_deleted_or_below_it_is_not_there_but_its_project_is(
    opens: PostgresUnitsOfWork, stored: Stored, hidden: str
) -> None:
    with opens() as uow:
        uow._connection.execute(text(f"UPDATE {hidden} SET is_deleted = true"))  # noqa: S608 - a table
        uow.commit()
    with opens(reading=True) as uow:
        for target, target_id, failure in [
            ("chunk_set", None, ChunkSetNotFound),
            ("chunk_set", "chunks", ChunkSetNotFound),
            ("index_build", "build", IndexBuildNotFound),
        ]:
            strategy = "vector" if target == "index_build" else "bm25"
            asked = read_request(
                {"query": "x", "strategy": {"type": strategy}, "target": target, "target_id": target_id}
            )
            assert first_look(uow, CALLER, stored.project.project_id, target, target_id).project == stored.project
            with pytest.raises(failure):
                find_target(uow, CALLER, stored.project.project_id, asked)


def test_what_is_anothers_is_not_there(opens: PostgresUnitsOfWork, stored: Stored) -> None:
    other = make_project()
    with opens() as uow:
        uow.projects.add(other)
        uow.commit()
        for target, target_id in [("index_build", "build"), ("chunk_set", "chunks"), ("chunk_set", None)]:
            rows = first_look(uow, CALLER, other.project_id, target, target_id).rows
            assert (rows.project, rows.build, rows.chunk_set, rows.document) == (other, None, None, None)
            with pytest.raises(ProjectNotFound):
                first_look(uow, Caller(namespace_id="ns_another"), stored.project.project_id, target, target_id)


@pytest.mark.parametrize(
    "given",
    [
        {"strategy": {"type": "bm25"}},
        {"strategy": {"type": "bm25"}, "target_id": "chunks"},
        {"strategy": {"type": "vector"}, "target": "index_build", "target_id": "build"},
    ],
)
def test_a_target_is_found_in_one_question(
    monkeypatch: pytest.MonkeyPatch, opens: PostgresUnitsOfWork, stored: Stored, given: dict[str, Any]
) -> None:
    asked = read_request({"query": "x", **given})
    sent: list[Any] = []
    execute = psycopg.Cursor.execute

    def noted(cursor: Any, query: Any, *more: Any, **others: Any) -> Any:
        sent.append(query)
        return execute(cursor, query, *more, **others)

    monkeypatch.setattr(psycopg.Cursor, "execute", noted)
    with opens(reading=True) as uow:
        look = first_look(uow, CALLER, stored.project.project_id, asked.target, asked.target_id)
        target = find_target(uow, CALLER, stored.project.project_id, asked, look)
    assert target.origin["filename"] == "a.json"
    assert len(sent) == 1
