from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from shoald.adapters.postgres.engine import make_engine
from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
from shoald.application.event_telling import TellingSweep
from shoald.domain.platform_words import EventType
from shoald.domain.records.event import Event

pytestmark = pytest.mark.integration


@pytest.fixture
def open_unit_of_work(postgres_database: str) -> Iterator[PostgresUnitsOfWork]:
    engine = make_engine(postgres_database)
    yield PostgresUnitsOfWork(engine)
    engine.dispose()


def _event(subject: str, at: datetime | None = None) -> Event:
    return Event(
        event_type=EventType.CLUSTER_CREATED,
        namespace_id="ns_a",
        subject_type="cluster",
        subject_id=subject,
        occurred_at=at or datetime.now(UTC),
        metadata={"n": 1},
    )


def _read(opens: PostgresUnitsOfWork, reader: str) -> list[str]:
    with opens() as uow:
        position = uow.events.position(reader)
        if position is None:
            return []
        found = uow.events.after(position, 100)
        if found:
            uow.events.move(reader, found[-1].sequence or 0)
        uow.commit()
    return [one.subject_id for one in found]


def test_each_reader_reads_each_event_once_and_in_order(open_unit_of_work: PostgresUnitsOfWork) -> None:
    for subject in ("a", "b", "c"):
        with open_unit_of_work() as uow:
            uow.events.add(_event(subject))
            uow.commit()
    assert _read(open_unit_of_work, "one") == ["a", "b", "c"]
    assert _read(open_unit_of_work, "one") == []
    assert _read(open_unit_of_work, "other") == ["a", "b", "c"]


def test_an_event_that_is_committed_late_is_not_passed_over(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as late:
        late.events.add(_event("late"))
        with open_unit_of_work() as uow:
            uow.events.add(_event("early"))
            uow.commit()
        assert _read(open_unit_of_work, "one") == ["early"]
        late.commit()
    assert _read(open_unit_of_work, "one") == ["late"]


def test_an_event_is_gone_with_the_transaction_that_told_it(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as uow:
        uow.events.add(_event("a"))
    assert _read(open_unit_of_work, "one") == []


def test_what_one_transaction_reads_no_other_reads_meanwhile(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as uow:
        uow.events.add(_event("a"))
        uow.commit()
    assert _read(open_unit_of_work, "one") == ["a"]
    with open_unit_of_work() as holding:
        assert holding.events.position("one") is not None
        with open_unit_of_work() as uow:
            assert uow.events.position("one") is None
            assert uow.events.position("other") == 0


def test_a_reader_that_fails_reads_the_same_again(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as uow:
        uow.events.add(_event("a"))
        uow.commit()
    with open_unit_of_work() as uow:
        assert [one.subject_id for one in uow.events.after(uow.events.position("one") or 0, 10)] == ["a"]
    assert _read(open_unit_of_work, "one") == ["a"]


def test_old_events_are_removed_once_every_reader_has_passed_them(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as uow:
        uow.events.add(_event("old", datetime.now(UTC) - timedelta(days=40)))
        uow.events.add(_event("new"))
        uow.commit()
    _read(open_unit_of_work, "one")
    with open_unit_of_work() as uow:
        uow.events.position("behind")
        assert uow.events.remove(timedelta(days=30), 100) == 0
        uow.commit()
    _read(open_unit_of_work, "behind")
    with open_unit_of_work() as uow:
        assert uow.events.remove(timedelta(days=30), 100) == 1
        uow.commit()


def test_a_sweep_removes_more_than_one_batch(open_unit_of_work: PostgresUnitsOfWork) -> None:
    with open_unit_of_work() as uow:
        for at in range(5):
            uow.events.add(_event(f"old{at}", datetime.now(UTC) - timedelta(days=40)))
        uow.commit()
    _read(open_unit_of_work, "one")
    assert TellingSweep(open_unit_of_work=open_unit_of_work, keep=timedelta(days=30), batch=2).run_pass() == 5
