"""Declared payload fields: their index says what the documents say, is built beside writers, and is what pages ask."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy.dialects import postgresql

from shoald.adapters.postgres import collection_documents, document_narrowing
from shoald.adapters.postgres.document_selection import WHOLE
from shoald.adapters.postgres.payload_indexes import indexed_clause
from shoald.application.collection_documents import Import
from shoald.application.listing import ListQuery, SortKey
from shoald.application.namespaces import NamespaceChanges
from shoald.application.payload_indexing import AGAIN_AFTER, REMOVED_AFTER, PayloadIndexHandler, PayloadIndexRound
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import InvalidFields
from shoald.domain.filters import matches, parse_filter
from shoald.domain.records.collection import DocumentBatch, PayloadIndex
from shoald.domain.records.job import Job
from shoald.domain.records.payload_index import BUILDING, READY
from shoald.domain.vocabulary import JobType
from support.cluster_world import ClusterWorld, cluster_world

pytestmark = pytest.mark.integration

FIELDS = ("n", "kind", "deep.x", "é")
SCALARS: list[Any] = ["Apple", "apple", "b", "Ärger", "", "x" * 150, 1, 1.5, -2, 0, 10**15, 1e305, True, False, None]


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def declare(world: ClusterWorld, *fields: str) -> None:
    indexes = tuple(PayloadIndex(field_name=name, type="keyword") for name in fields)
    world.use_cases.namespaces.update("default", NamespaceChanges(payload_indexes=indexes))


def store(world: ClusterWorld, payloads: list[dict[str, Any]], *, replace: bool = False) -> str:
    ids = [f"d{at:05d}" for at in range(len(payloads))]
    target = Import(collection="things", replace=replace)
    batch = DocumentBatch(ids=ids, payloads=payloads, vectors=[])
    return world.use_cases.collection_documents.import_batches(world.caller, target, [batch]).collection_id


def states(world: ClusterWorld) -> dict[str, str]:
    with world.adapters.open_unit_of_work() as uow:
        return {one.field_name: one.state for one in uow.collections.declared_indexes("ns_default")}


@dataclass
class Later:
    """A clock that is ahead."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def ask(world: ClusterWorld, *, ahead: timedelta = timedelta()) -> int:
    """Let the scheduler ask for the jobs that are missing."""
    opened, jobs = world.adapters.open_unit_of_work, world.use_cases.jobs
    return PayloadIndexRound(open_unit_of_work=opened, jobs=jobs, clock=Later(ahead)).run_pass()


def build(world: ClusterWorld, *, ahead: timedelta = timedelta()) -> int:
    """Let the scheduler ask for the jobs that are missing, and do them here."""
    asked, jobs = ask(world, ahead=ahead), world.use_cases.jobs
    rows, _ = jobs.list(world.caller, job_types=[JobType.PAYLOAD_INDEX], states=[], limit=99, offset=0)
    for job in rows:
        if job.finished_at is None:
            assert world.run(job).state == "COMPLETED"
    return asked


def stored_values(world: ClusterWorld) -> int:
    with world.adapters.open_unit_of_work() as uow:
        rows = uow._connection.exec_driver_sql("SELECT count(*) FROM payload_values")  # type: ignore[attr-defined]
        return int(rows.scalar_one())


def listed(world: ClusterWorld, filters: dict[str, Any]) -> list[str]:
    page = world.use_cases.collection_documents.list(world.caller, "things", ListQuery(limit=1000, filters=filters))
    return [one.document.document_id for one in page.items]


def value(chance: random.Random) -> Any:
    if chance.random() < 0.2:
        return [chance.choice(SCALARS) for _ in range(chance.randint(0, 3))]
    return chance.choice(SCALARS)


def payload(chance: random.Random) -> dict[str, Any]:
    made: dict[str, Any] = {name: value(chance) for name in ("n", "kind", "é", "other") if chance.random() < 0.7}
    if chance.random() < 0.5:
        deep = [{"x": value(chance)} for _ in range(chance.randint(0, 2))]
        made["deep"] = deep if chance.random() < 0.5 else {"x": value(chance)}
    return made


def condition(chance: random.Random) -> dict[str, Any]:
    operator = chance.choice(["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "exists", "is_null", "starts_with"])
    asked: Any = chance.choice(SCALARS)
    if operator in {"in", "nin"}:
        asked = [chance.choice(SCALARS) for _ in range(chance.randint(0, 3))]
    if operator in {"exists", "is_null"}:
        asked = chance.random() < 0.5
    if operator in {"gt", "gte", "lt", "lte"}:
        asked = chance.choice([one for one in SCALARS if one is not None and not isinstance(one, bool)])
    if operator == "starts_with":
        asked = "a"
    field = chance.choice([*FIELDS, "other"])
    return {"field": field, "operator": operator, "value": asked, "case_sensitive": chance.random() < 0.2}


def tree(chance: random.Random, depth: int = 2) -> dict[str, Any]:
    if depth == 0 or chance.random() < 0.4:
        return condition(chance)
    return {chance.choice(["AND", "OR", "NOT"]): [tree(chance, depth - 1) for _ in range(chance.randint(1, 3))]}


def test_an_index_says_what_the_documents_say(world: ClusterWorld) -> None:
    chance = random.Random(7)
    payloads = [payload(chance) for _ in range(80)]
    store(world, payloads[:40])
    declare(world, *FIELDS)
    assert set(states(world).values()) == {BUILDING}
    build(world)
    assert set(states(world).values()) == {READY}
    store(world, payloads)
    for _ in range(100):
        asked = tree(chance)
        parsed = parse_filter(asked)
        expected = [f"d{at:05d}" for at, one in enumerate(payloads) if parsed is None or matches(parsed, one)]
        assert listed(world, asked) == expected, asked


@pytest.mark.parametrize(("few", "walked"), [(2000, 1000), (4, 6), (0, 1000), (0, 1)])
def test_pages_of_several_conditions_are_the_same_whichever_way_they_are_found(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch, few: int, walked: int
) -> None:
    """By the rarest condition, by a walk, by intersection; and the statement that asks for all at once says what is
    right.
    """
    monkeypatch.setattr(document_narrowing, "FEW", few)
    monkeypatch.setattr(document_narrowing, "WALKED", walked)
    chance = random.Random(few + walked)
    declare(world, *FIELDS)
    store(world, [payload(chance) for _ in range(90)])
    found = 0
    for _ in range(12):
        asked = {"AND": [tree(chance, 1), *(condition(chance) for _ in range(chance.randint(1, 2)))]}
        sort = chance.choice([(), (), (SortKey(field="n", descending=True),)])
        rows = paged(world, asked, sort)
        with monkeypatch.context() as plain:
            plain.setattr(collection_documents, "narrowed_page", lambda *_: None)
            assert rows == paged(world, asked, sort), asked
        found += len(rows)
    assert found > 20


def paged(world: ClusterWorld, filters: dict[str, Any], sort: tuple[SortKey, ...]) -> list[str]:
    """Return all documents, a few a page: by cursors, and where it is sorted by offsets."""
    found: list[str] = []
    query = ListQuery(limit=4, filters=filters, sort=sort)
    while True:
        page = world.use_cases.collection_documents.list(world.caller, "things", query)
        found.extend(one.document.document_id for one in page.items)
        if len(page.items) < query.limit:
            return found
        query = replace(query, offset=len(found)) if sort else replace(query, cursor=page.next_cursor)
        if page.next_cursor is None and not sort:
            return found


BETWEEN = {
    "AND": [{"field": "n", "operator": "gte", "value": 3}, {"field": "n", "operator": "lt", "value": 5}, {"kind": "a"}]
}


@pytest.mark.parametrize("few", [2000, 0])
def test_two_bounds_are_one_part_of_the_index_until_a_document_has_several_values(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(document_narrowing, "FEW", few)
    declare(world, "n", "kind")
    store(world, [{"n": at, "kind": "a"} for at in range(10)])
    assert listed(world, BETWEEN) == ["d00003", "d00004"]
    assert values_asked(BETWEEN, several(world)) == 2, "both bounds of n at once, and the kind"
    world.use_cases.document_changes.update(world.caller, "things", "d00008", {"n": [1, 9]})
    assert several(world) == {"n": True, "kind": False}
    assert values_asked(BETWEEN, several(world)) == 3
    assert listed(world, BETWEEN) == ["d00003", "d00004", "d00008"], "one element is above, another below"


def test_a_build_sees_whether_documents_have_several_values(world: ClusterWorld) -> None:
    store(world, [{"n": 1, "kind": "a"}, {"n": [1, 9], "kind": "a"}])
    declare(world, "n", "kind")
    build(world)
    assert several(world) == {"n": True, "kind": False}
    assert listed(world, BETWEEN) == ["d00001"]


def several(world: ClusterWorld) -> dict[str, bool]:
    """Return whether documents have several values, by field."""
    with world.adapters.open_unit_of_work() as uow:
        rows = uow._connection.exec_driver_sql("SELECT field_name, has_several FROM payload_indexes")  # type: ignore[attr-defined]
        return {row.field_name: row.has_several for row in rows}


def values_asked(filters: dict[str, Any], ready: dict[str, bool]) -> int:
    """Return how often the index is asked for each document."""
    condition = parse_filter(filters)
    assert condition is not None
    clause = indexed_clause(condition, WHOLE, ["col_a"], ready)
    return str(clause.compile(dialect=cast("Any", postgresql).dialect())).count("FROM payload_values")


def test_what_is_written_and_deleted_is_followed(world: ClusterWorld) -> None:
    store(world, [{"n": at} for at in range(5)])
    declare(world, "n")
    build(world)
    changes = world.use_cases.document_changes
    changes.update(world.caller, "things", "d00001", {"n": 40})
    changes.delete(world.caller, "things", "d00002")
    assert listed(world, {"field": "n", "operator": "gte", "value": 2}) == ["d00001", "d00003", "d00004"]
    store(world, [{"n": 7}], replace=True)
    assert listed(world, {"field": "n", "operator": "gte", "value": 0}) == ["d00000"]
    world.use_cases.collections.delete(world.caller, "things")
    assert stored_values(world) == 0


def test_an_index_is_asked_for_once_and_goes_when_nobody_declares_it(world: ClusterWorld) -> None:
    declare(world, "early")
    assert states(world) == {"early": READY}, "nothing is stored yet"
    store(world, [{"n": 1, "early": 2}])
    declare(world, "early", "n")
    assert states(world) == {"early": READY, "n": BUILDING}
    assert listed(world, {"n": 1}) == ["d00000"], "not asked before it is ready"
    assert build(world) == 1
    assert build(world) == 0
    declare(world)
    assert states(world) == {}
    assert listed(world, {"n": 1}) == ["d00000"]
    assert stored_values(world) == 2, "who asked before may still be reading"
    assert build(world) == 0
    assert build(world, ahead=REMOVED_AFTER) == 2
    assert stored_values(world) == 0
    assert build(world, ahead=REMOVED_AFTER) == 0


def test_a_field_that_is_declared_again_is_built_anew(world: ClusterWorld) -> None:
    store(world, [{"n": at} for at in range(3)])
    declare(world, "n")
    build(world)
    declare(world)
    world.use_cases.document_changes.update(world.caller, "things", "d00001", {"n": 40})
    store(world, [{"n": 50}], replace=False)
    declare(world, "n")
    assert states(world) == {"n": BUILDING}
    build(world)
    assert states(world) == {"n": READY}
    assert listed(world, {"n": [0, 1]}) == []
    assert listed(world, {"n": [40, 50]}) == ["d00000", "d00001"]
    assert stored_values(world) == 3


def test_an_index_whose_job_failed_is_asked_for_again(world: ClusterWorld) -> None:
    store(world, [{"n": 1}])
    declare(world, "n")
    assert ask(world) == 1
    jobs = world.use_cases.jobs
    (first,), _ = jobs.list(world.caller, job_types=[JobType.PAYLOAD_INDEX], limit=2)
    jobs.cancel(world.caller, first.job_id)
    assert ask(world) == 0, "not at once"
    assert build(world, ahead=AGAIN_AFTER) == 1
    assert states(world) == {"n": READY}


def test_what_no_payload_has_is_asked_of_documents_though_it_is_declared(world: ClusterWorld) -> None:
    declare(world, "document_id", "collection_id")
    collection_id = store(world, [{"n": 1}, {"n": 2}])
    assert states(world) == {"document_id": READY, "collection_id": READY}
    assert listed(world, {"document_id": "d00001"}) == ["d00001"]
    assert listed(world, {"collection_id": collection_id}) == ["d00000", "d00001"]


def test_a_field_that_no_json_can_have_is_refused(world: ClusterWorld) -> None:
    for name in ("a\0b", "a..b"):
        with pytest.raises(InvalidFields):
            declare(world, name)


class StoppedError(Exception):
    """The worker was killed."""


class Attempt:
    """A job's attempt that is stopped after so many steps."""

    def __init__(self, job: Job, steps: int) -> None:
        self.job, self._steps = job, steps

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        del stage, fraction, message
        self._steps -= 1
        if self._steps < 0:
            raise StoppedError

    def complete(self, uow: UnitOfWork, result: dict[str, Any], *, with_errors: bool = False) -> None:
        del uow, with_errors
        self.result = result


def test_a_build_that_was_stopped_goes_on_behind_what_it_had_done(world: ClusterWorld) -> None:
    store(world, [{"n": at} for at in range(10)])
    declare(world, "n")
    ask(world)
    (job,), _ = world.use_cases.jobs.list(world.caller, job_types=[JobType.PAYLOAD_INDEX], limit=1)
    handler = PayloadIndexHandler(open_unit_of_work=world.adapters.open_unit_of_work, together=3)
    with pytest.raises(StoppedError):
        handler.run(cast("JobContext", Attempt(job, steps=1)))
    assert stored_values(world) == 6, "what was done stays"
    world.use_cases.document_changes.update(world.caller, "things", "d00001", {"n": 40})
    world.use_cases.document_changes.update(world.caller, "things", "d00008", {"n": 41})
    rest = Attempt(job, steps=99)
    handler.run(cast("JobContext", rest))
    assert rest.result == {"field_name": "n", "documents": 4}
    assert states(world) == {"n": READY}
    assert listed(world, {"field": "n", "operator": "gte", "value": 9}) == ["d00001", "d00008", "d00009"]
    assert stored_values(world) == 10


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({"kind": "k3"}, "ix_payload_values_value"),
        ({"kind": ["k3", "k5"]}, "ix_payload_values"),
        ({"field": "n", "operator": "gte", "value": 19_990}, "ix_payload_values_value"),
        ({"field": "rare", "operator": "exists", "value": True}, "ix_payload_values_value"),
    ],
)
def test_pages_ask_the_index(world: ClusterWorld, postgres_database: str, filters: dict[str, Any], index: str) -> None:
    declare(world, "kind", "n", "rare")
    collection_id = store(
        world, [{"n": at, "kind": f"k{at % 500}", **({"rare": 1} if at % 1000 == 0 else {})} for at in range(20_000)]
    )
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute("ANALYZE")
        plan = _plan_of(world, connection, collection_id, filters)
    assert index in plan
    assert not re.search("Seq Scan on (collection_documents|payload_values)", plan)


def _plan_of(
    world: ClusterWorld, connection: psycopg.Connection[Any], collection_id: str, filters: dict[str, Any]
) -> str:
    """Return how PostgreSQL does the statement that a page of documents is read by."""
    from sqlalchemy import event

    seen: list[tuple[str, Any]] = []
    engine = world.adapters.open_unit_of_work._engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *said: seen.append((said[2], said[3])))
    listed(world, filters)
    statement, parameters = next(one for one in seen if "FROM collection_documents" in one[0])
    assert collection_id in parameters.values()
    rows = connection.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
    return "\n".join(row[0] for row in rows)


def test_one_question_to_the_index_answers_all_alternatives_that_it_can() -> None:
    """Two of them would be two sets that every document is looked up in; one is joined with the documents."""
    alternatives = [{"field": field, "operator": "eq", "value": 1} for field in ("n", "kind", "elsewhere")]
    assert values_asked({"OR": alternatives}, {"n": True, "kind": True}) == 1
