"""Whatever an item holds comes back as it was, one block or many."""

from __future__ import annotations

import pytest

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.domain.records.segment_set import SetItem
from support.builders import make_document, make_item, make_project, make_segment_set

pytestmark = pytest.mark.integration

AWKWARD = ["", "a\tb\nc\r\n", "\\", "\\N", "\\.", 'say "x"', "{a,b}", "é 👩‍👩‍👧", "\v\f\b\x1f", "NULL", " "]


@pytest.mark.parametrize("times", [1, 400])
def test_awkward_texts_come_back(postgres_database: str, times: int) -> None:
    engine = make_engine(postgres_database, DatabaseLimits())
    project = make_project()
    document, version = make_document(project)
    segment_set = make_segment_set(version, project.project_id)
    items = [
        make_item(position, text, metadata={text: [text, 1.5]}, parent_id=text or None, path=(text, "b"), type=text)
        for position, text in enumerate(AWKWARD * times)
    ]
    with PostgresUnitsOfWork(engine)() as uow:
        uow.projects.add(project)
        uow.documents.add(document, version)
        uow.segment_sets.add(segment_set)
        uow.segment_sets.write_items(segment_set.segment_set_version_id, items)
        uow.segment_sets.write_items(segment_set.segment_set_version_id, [])
        found = uow.segment_sets.items(segment_set.segment_set_version_id, start=0, limit=len(items) + 1)
        assert [plain(item) for item in found] == [plain(item) for item in items]
    engine.dispose()


def plain(item: SetItem) -> tuple[object, ...]:
    place = (item.position, item.parent_id, item.level, item.path)
    return item.item_id, item.content, dict(item.metadata), place, item.type, item.original_format
