"""Many small files in one call on a real database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shoald.adapters.postgres.set_items import PostgresSetItems
from shoald.application.bulk_ingesting import SmallFile
from shoald.application.documents import FileInfo
from shoald.application.segmenting import SegmentsHandler
from shoald.domain.failures import ProjectNotFound, UnsupportedLoader
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration


def small(name: str, content: bytes, loader: str = "text") -> SmallFile:
    return SmallFile(file=FileInfo(filename=name), loader_type=loader, content=content)


def test_every_file_becomes_what_it_would_alone(path: RagPath) -> None:
    bulk = path.use_cases.bulk_ingesting
    files = [small("a.txt", b"one"), small("b.json", b"[1,", "json"), small("c.csv", b"x,y\n1,2\n", "csv")]
    a, b, c = bulk.ingest(path.caller, path.project.project_id, files, Here())
    assert (b.segment_set_version_id, b.error_code) == (None, "invalid_loader_params")
    with path.adapters.open_unit_of_work() as uow:
        for name, made, loader in (("a.txt", a, "text"), ("c.csv", c, "csv")):
            assert (made.filename, made.error_code) == (name, None)
            namespace_id = path.caller.namespace_id
            bulk_set = uow.segment_sets.get(str(made.segment_set_version_id), namespace_id=namespace_id)
            items = uow.segment_sets.items(str(made.segment_set_version_id), start=0, limit=10)
            found = uow.documents.get_version(made.document_version_id, namespace_id=namespace_id)
            assert bulk_set is not None
            assert found is not None
            alone = path.segment(found[0], loader=loader)
            expected = uow.segment_sets.items(alone.segment_set_version_id, start=0, limit=10)
            assert [(one.content, dict(one.metadata)) for one in items] == [
                (one.content, dict(one.metadata)) for one in expected
            ]
            assert (bulk_set.params, bulk_set.is_active) == (alone.params, True)
            assert (bulk_set.total_items, bulk_set.total_characters) == (alone.total_items, alone.total_characters)


def test_the_same_bytes_twice_are_two_documents_over_one_object(path: RagPath) -> None:
    files = [small("a.txt", b"one"), small("b.txt", b"one")]
    path.use_cases.bulk_ingesting.ingest(path.caller, path.project.project_id, files, Here())
    with path.adapters.open_unit_of_work() as uow:
        documents = uow.documents.list(path.project.project_id, offset=0, limit=10)
    assert len({document.storage_uri for document in documents}) == 1
    assert sorted(document.filename for document in documents) == ["a.txt", "b.txt"]


def test_nothing_is_stored_for_an_unknown_loader_or_project(path: RagPath) -> None:
    bulk = path.use_cases.bulk_ingesting
    with pytest.raises(UnsupportedLoader):
        bulk.ingest(path.caller, path.project.project_id, [small("a.txt", b"x"), small("b", b"x", "tarot")], Here())
    with pytest.raises(ProjectNotFound):
        bulk.ingest(path.caller, "00000000-0000-4000-8000-000000000000", [small("a.txt", b"x")], Here())
    with path.adapters.open_unit_of_work() as uow:
        assert uow.documents.list(path.project.project_id, offset=0, limit=10) == []


def test_no_more_than_one_file_is_held_in_memory(path: RagPath, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    for owner, name in ((SegmentsHandler, "segments"), (PostgresSetItems, "write_items")):
        monkeypatch.setattr(owner, name, _noting(steps, getattr(owner, name)))
    files = [small("a.txt", b"one"), small("b.txt", b"two")]
    path.use_cases.bulk_ingesting.ingest(path.caller, path.project.project_id, files, Here())
    assert steps == ["segments", "write_items"] * 2


def _noting(steps: list[str], does: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*given: Any) -> Any:
        steps.append(does.__name__)
        return does(*given)

    return noted
