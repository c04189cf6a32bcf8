"""Items are written as one stream: a source that fails ends it, however far it came, and keeps no connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.domain.failures import Busy
from shoald.domain.records.segment_set import SetItem
from support.builders import make_document, make_item, make_project, make_segment_set

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("readers", [1, 2], ids=["the source raises", "the source finds no connection"])
@pytest.mark.parametrize("items", [0, 300], ids=["at once", "after some blocks"])
def test_a_source_that_fails_ends_the_stream(postgres_database: str, items: int, readers: int) -> None:
    engine = make_engine(postgres_database, DatabaseLimits(pool_size=2, checkout_seconds=0.1))
    opens = PostgresUnitsOfWork(engine)
    project = make_project()
    document, version = make_document(project)
    segment_set = make_segment_set(version, project.project_id)

    def source() -> Iterator[SetItem]:
        yield from (make_item(position, "text " * 100) for position in range(items))
        with opens(reading=True):
            if readers == 1:
                raise KeyError("source")
            opens(reading=True).__enter__()

    def write() -> None:
        with opens() as uow:
            uow.projects.add(project)
            uow.documents.add(document, version)
            uow.segment_sets.add(segment_set)
            uow.segment_sets.write_items(segment_set.segment_set_version_id, source())

    with pytest.raises(KeyError if readers == 1 else Busy):
        write()
    with engine.begin() as one, engine.begin() as other:  # both connections are back, and usable
        assert one.scalar(text("SELECT count(*) FROM segment_items")) == 0
        assert other.scalar(text("SELECT count(*) FROM projects")) == 0
    engine.dispose()
