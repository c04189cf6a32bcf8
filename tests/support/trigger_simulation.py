"""A small world in which triggers fire: a clock that jumps, several schedulers, and deaths between any two steps.

The code that fires, counts and follows is the real one. Tables are kept in memory with what PostgreSQL promises of
them: row locks, `SKIP LOCKED`, what is committed is seen, what is not is gone with its transaction. One scheduler at a
time takes one step; which one, and who dies where, is drawn from the seed, so that a seed is the same run every time.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace, TracebackType
from typing import Any, Self, cast

from shoald.application.trigger_firing import TriggerFiring
from shoald.application.trigger_following import EventCounting, FiringEnds
from shoald.application.trigger_starts import TriggerStarts
from shoald.domain.platform_words import EventType, FiringStatus, TriggerType
from shoald.domain.records.event import Event
from shoald.domain.records.trigger import Firing, Trigger
from shoald.domain.triggers.schedules import read_schedule, timing_of
from shoald.domain.vocabulary import ExecutionStatus

BEGINNING = datetime(2026, 10, 24, 21, 0, tzinfo=UTC)
"""The evening before the clocks of Berlin are set back."""
_OPEN = (ExecutionStatus.PENDING, ExecutionStatus.PROCESSING)
_COLLECTION, _NAMESPACE = "col_a", "ns_a"


class Killed(BaseException):
    """The process is gone: nothing that it had not committed ever was."""


class Wrong(BaseException):
    """Something happened that PostgreSQL would not have let happen; nothing may catch it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a simulated run is."""

    run_id: str
    job_id: str
    cluster_id: str
    status: ExecutionStatus
    created_at: datetime
    completed_at: datetime | None = None
    started_at: datetime | None = None
    error_message: str | None = None
    num_clusters: int = 2
    num_points: int = 20


@dataclass
class Tables:
    """What is committed, and who holds which rows."""

    now: datetime = BEGINNING
    triggers: dict[str, Trigger] = field(default_factory=dict)
    firings: dict[tuple[str, str], Firing] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    position: int = 0
    consumed: Counter[str] = field(default_factory=Counter)
    locks: dict[str, object] = field(default_factory=dict)
    made: int = 0

    def next_id(self, kind: str) -> str:
        """Return an id that nothing has; ids are spent also by what is rolled back."""
        self.made += 1
        return f"{kind}_{self.made}"


class Transaction:
    """A unit of work: reads what is committed and its own, holds rows, and makes its own true at once."""

    def __init__(self, tables: Tables, gate: Callable[[], None]) -> None:
        self._tables = tables
        self._gate = gate
        self.triggers = _Triggers(self, tables)
        self.events = _Events(self, tables)
        self.cluster_runs = SimpleNamespace(get_many=self._runs)
        self._forget()

    def _forget(self) -> None:
        self.own_triggers: dict[str, Trigger] = {}
        self.own_firings: dict[tuple[str, str], Firing] = {}
        self.new_firings: set[tuple[str, str]] = set()
        self.own_runs: dict[str, Run] = {}
        self.own_events: list[Event] = []
        self.own_position: int | None = None

    def _runs(self, ids: Sequence[str]) -> dict[str, Run]:
        self.step()
        return {one: self._tables.runs[one] for one in ids if one in self._tables.runs}

    def step(self) -> None:
        """Let others go on, or die here."""
        self._gate()

    def lock(self, row: str) -> bool:
        """Hold a row, unless another transaction does."""
        return self._tables.locks.setdefault(row, self) is self

    def __enter__(self) -> Self:
        self.step()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def _release(self) -> None:
        self._forget()
        held = [row for row, holder in self._tables.locks.items() if holder is self]
        for row in held:
            del self._tables.locks[row]

    def commit(self) -> None:
        """Make everything true at once; the process may die just before and just after."""
        self.step()
        tables = self._tables
        if tables.firings.keys() & self.new_firings:
            raise Wrong("a slot is fired twice")
        for trigger_id, trigger in self.own_triggers.items():
            if trigger.event_counter == 0:
                tables.consumed[trigger_id] += tables.triggers[trigger_id].event_counter
        tables.triggers |= self.own_triggers
        tables.firings |= self.own_firings
        tables.runs |= self.own_runs
        tables.events.extend(
            replace(one, sequence=len(tables.events) + place) for place, one in enumerate(self.own_events, 1)
        )
        tables.position = tables.position if self.own_position is None else self.own_position
        self._release()
        self.step()


class _Triggers:
    """`TriggerRepository` over the tables, as far as schedulers use it."""

    def __init__(self, transaction: Transaction, tables: Tables) -> None:
        self._transaction = transaction
        self._tables = tables

    def now(self) -> datetime:
        self._transaction.step()
        return self._tables.now

    def _seen(self) -> dict[str, Trigger]:
        return {**self._tables.triggers, **self._transaction.own_triggers}

    def due(self, now: datetime, limit: int, *, types: Collection[str], behind: Trigger | None = None) -> list[Trigger]:
        self._transaction.step()
        asked = [one for one in self._seen().values() if one.is_active and one.trigger_type in types]
        found = [one for one in asked if one.due_at is not None and one.due_at <= now]
        rest = found if behind is None else [one for one in found if _turn(one) > _turn(behind)]
        return sorted(rest, key=_turn)[:limit]

    def hold_cluster(self, cluster_id: str) -> bool:
        self._transaction.step()
        return self._transaction.lock(cluster_id)

    def take(self, trigger_id: str, due_at: datetime) -> Trigger | None:
        self._transaction.step()
        trigger = self._tables.triggers[trigger_id]
        is_it = trigger.is_active and trigger.due_at == due_at
        return self._tables.triggers[trigger_id] if is_it and self._transaction.lock(trigger_id) else None

    def hold(self, trigger_id: str) -> Trigger:
        self._transaction.step()
        while not self._transaction.lock(trigger_id):
            self._transaction.step()
        return self._seen()[trigger_id]

    def save(self, trigger: Trigger) -> None:
        self._transaction.step()
        if self._tables.locks.get(trigger.trigger_id) is not self._transaction:
            raise Wrong(f"{trigger.trigger_id} is changed by one who does not hold it")
        self._transaction.own_triggers[trigger.trigger_id] = trigger

    def run_at_work(self, cluster_id: str) -> tuple[str, str] | None:
        self._transaction.step()
        at_work = [one for one in self._tables.runs.values() if one.cluster_id == cluster_id and one.status in _OPEN]
        return (at_work[0].run_id, at_work[0].job_id) if at_work else None

    def has_fired(self, trigger_id: str, slot: str) -> bool:
        self._transaction.step()
        return (trigger_id, slot) in self._tables.firings

    def add_firing(self, firing: Firing) -> bool:
        self._transaction.step()
        key = firing.trigger_id, firing.slot
        is_free = key not in self._tables.firings
        if is_free:
            self._transaction.own_firings[key] = firing
            self._transaction.new_firings.add(key)
        return is_free

    def ended(self, limit: int, *, behind: Firing | None = None) -> list[Firing]:
        self._transaction.step()
        is_open = [one for one in self._tables.firings.values() if one.status == FiringStatus.PENDING]
        found = [one for one in is_open if self._tables.runs[one.run_id or ""].status not in _OPEN]
        rest = found if behind is None else [one for one in found if _age(one) > _age(behind)]
        return sorted(rest, key=_age)[:limit]

    def hold_firing(self, firing: Firing) -> bool:
        self._transaction.step()
        present = self._tables.firings[firing.trigger_id, firing.slot]
        name = f"{firing.trigger_id} {firing.slot}"
        return present.status == FiringStatus.PENDING and self._transaction.lock(name)

    def settle(self, firing: Firing) -> None:
        self._transaction.step()
        self._transaction.own_firings[firing.trigger_id, firing.slot] = firing

    def hold_counting(self, namespace_id: str, collection_id: str) -> list[Trigger]:
        assert (namespace_id, collection_id) == (_NAMESPACE, _COLLECTION)
        kinds = {one.trigger_id for one in self._seen().values() if one.trigger_type == TriggerType.EVENT}
        return [self.hold(one) for one in sorted(kinds) if self._tables.triggers[one].is_active]

    def automatic_clusters(self, namespace_id: str, collection_id: str) -> list[str]:
        del namespace_id, collection_id
        return []


class _Events:
    """`EventRepository` over the tables."""

    def __init__(self, transaction: Transaction, tables: Tables) -> None:
        self._transaction = transaction
        self._tables = tables

    def add(self, event: Event) -> None:
        self._transaction.step()
        self._transaction.own_events.append(event)

    def position(self, reader: str) -> int | None:
        self._transaction.step()
        return self._tables.position if self._transaction.lock(reader) else None

    def after(self, sequence: int, limit: int) -> list[Event]:
        self._transaction.step()
        return self._tables.events[sequence : sequence + limit]

    def move(self, reader: str, sequence: int) -> None:
        del reader
        self._transaction.step()
        self._transaction.own_position = sequence


class Actor:
    """A scheduler process: its passes, one step whenever it is let, until it is killed."""

    def __init__(self, name: str, passes: Sequence[Callable[[], int]]) -> None:
        self._passes = passes
        self._may_go, self._has_stopped = threading.Semaphore(0), threading.Semaphore(0)
        self._must_die = False
        self.is_dead = False
        self.wrong: Wrong | None = None
        self.rounds = 0
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()

    def _live(self) -> None:
        try:
            self.gate()
            while True:
                for each in self._passes:
                    each()
                self.rounds += 1
                self.gate()
        except Killed:
            pass
        except Exception as error:  # noqa: BLE001 - told by the thread that steps
            self.wrong = Wrong(repr(error))
        except Wrong as wrong:
            self.wrong = wrong
        self.is_dead = True
        self._has_stopped.release()

    def gate(self) -> None:
        """Stop until the next step."""
        self._has_stopped.release()
        self._may_go.acquire()
        if self._must_die:
            raise Killed

    def step(self) -> None:
        """Let it go one step."""
        self._has_stopped.acquire()
        self._may_go.release()
        self._has_stopped.acquire()
        self._has_stopped.release()
        assert self.wrong is None, self.wrong

    def kill(self) -> None:
        """End it where it is."""
        self._must_die = True
        self.step()
        self._thread.join()


class Simulation:
    """One run of one seed."""

    def __init__(self, seed: int, *, moves: int = 400) -> None:
        self.random = random.Random(seed)
        self.tables = Tables()
        self.moves = moves
        self.told = 0
        self.actors: list[Actor] = []
        self._acting: Actor | None = None
        for trigger in _triggers():
            self.tables.triggers[trigger.trigger_id] = trigger

    def run(self) -> None:
        """Live through faults, then without any until nothing is due; check what came of it."""
        try:
            for _ in range(self.moves):
                self.random.choices(self._moves(), [60, 3, 12, 2, 1, 1, 4, 3])[0]()
            self._settle()
        finally:
            for actor in self.actors:
                if not actor.is_dead:
                    actor.kill()
        self.check()

    def _moves(self) -> list[Callable[[], None]]:
        return [self._step, self._start, self._tick, self._jump, self._go_down, self._kill, self.finish, self._tell]

    # what happens

    def _gate(self) -> None:
        assert self._acting is not None
        self._acting.gate()

    def _start(self) -> None:
        self.actors = [one for one in self.actors if not one.is_dead]
        if len(self.actors) < 3:
            firing = self.firing(self._gate)
            self.actors.append(Actor(f"scheduler {self.tables.next_id('actor')}", self.passes(firing, self._gate)))

    def firing(self, gate: Callable[[], None], **more: Any) -> TriggerFiring:
        """Return what fires triggers of these tables; `gate` is called at every step."""
        return TriggerFiring(
            open_unit_of_work=cast("Any", self._opening(gate)),
            starts=TriggerStarts(accept=cast("Any", self._accept)),
            jobs=cast("Any", SimpleNamespace(dispatch=lambda _: gate())),
            batch=3,
            **{"measure": cast("Any", None), **more},
        )

    def passes(self, firing: TriggerFiring, gate: Callable[[], None]) -> list[Callable[[], int]]:
        """Return the passes of a scheduler over these tables."""
        opens = cast("Any", self._opening(gate))
        ends, counting = FiringEnds(open_unit_of_work=opens, batch=2), EventCounting(open_unit_of_work=opens)
        return [counting.run_pass, firing.run_pass, ends.run_pass]

    def _opening(self, gate: Callable[[], None]) -> Callable[..., Transaction]:
        return lambda **_: Transaction(self.tables, gate)

    def _accept(self, uow: Transaction, caller: Any, cluster_id: str, changes: Any) -> tuple[Any, bool]:
        del caller, changes
        uow.step()
        run_id, job_id = self.tables.next_id("run"), self.tables.next_id("job")
        uow.own_runs[run_id] = Run(
            run_id=run_id,
            job_id=job_id,
            cluster_id=cluster_id,
            status=ExecutionStatus.PENDING,
            created_at=self.tables.now,
        )
        return SimpleNamespace(job_id=job_id, payload={"run_id": run_id}), True

    def _step(self) -> None:
        alive = [one for one in self.actors if not one.is_dead]
        if alive:
            self._acting = self.random.choice(alive)
            self._acting.step()

    def _tick(self) -> None:
        self.tables.now += timedelta(seconds=self.random.choice([0.5, 30, 200, 700]))

    def _jump(self) -> None:
        self.tables.now += timedelta(seconds=self.random.uniform(-3600, 3600))

    def _go_down(self) -> None:
        """Everything is off for a while."""
        for actor in self.actors:
            self._acting = actor
            if not actor.is_dead:
                actor.kill()
        self.tables.now += timedelta(hours=self.random.uniform(0.1, 5))

    def _kill(self) -> None:
        alive = [one for one in self.actors if not one.is_dead]
        if alive:
            self._acting = self.random.choice(alive)
            self._acting.kill()

    def finish(self) -> None:
        """Let every run that is at work end."""
        is_open = [one for one in self.tables.runs.values() if one.status in _OPEN]
        for run in is_open:
            status = self.random.choice(
                [ExecutionStatus.COMPLETED, ExecutionStatus.COMPLETED, ExecutionStatus.CANCELED]
            )
            self.tables.runs[run.run_id] = replace(run, status=status, completed_at=self.tables.now)

    def _tell(self) -> None:
        count = self.random.randint(1, 4)
        self.told += count
        event = Event(
            event_type=EventType.COLLECTION_DOCUMENTS_WRITTEN,
            namespace_id=_NAMESPACE,
            subject_type="collection",
            subject_id=_COLLECTION,
            occurred_at=self.tables.now,
            metadata={"added_count": count, "updated_count": 0},
            sequence=len(self.tables.events) + 1,
        )
        self.tables.events.append(event)

    # the end

    def _settle(self) -> None:
        """Without faults everything that is due is fired, and every run that ended is noted, in bounded time."""
        self.tables.now = max(self.tables.now, *_dues(self.tables)) + timedelta(minutes=1)
        while sum(not one.is_dead for one in self.actors) < 2:
            self._start()
        for round_no in range(8):
            before = [one.rounds for one in self.actors if not one.is_dead]
            steps = 0
            while any(one.rounds < was + 2 for one, was in zip(self._alive(), before, strict=True)):
                self._step()
                steps += 1
                assert steps < 20_000, "a pass does not end"
            self.finish()
            if round_no < 6:  # in the last rounds no slot comes, so that every end can be noted
                self.tables.now += timedelta(seconds=6)

    def _alive(self) -> list[Actor]:
        return [one for one in self.actors if not one.is_dead]

    def check(self) -> None:
        """Fail unless every slot was fired once, every event counted once, and every end noted once."""
        for trigger in self.tables.triggers.values():
            firings = [one for one in self.tables.firings.values() if one.trigger_id == trigger.trigger_id]
            if trigger.trigger_type == TriggerType.EVENT:
                counted = self.tables.consumed[trigger.trigger_id] + trigger.event_counter
                assert counted == self.told, f"{counted} documents counted, {self.told} told"
            else:
                self._check_slots(trigger, sorted(firings, key=lambda one: one.fired_for))
        started = [one.run_id for one in self.tables.firings.values() if one.run_id is not None]
        assert sorted(started) == sorted(self.tables.runs), "a run without a firing, or the other way round"
        told = Counter(
            (one.subject_id, one.metadata["slot"])
            for one in self.tables.events
            if one.event_type == EventType.TRIGGER_EXECUTION_COMPLETED
        )
        assert set(told.values()) <= {1}, "an end noted twice"
        assert all(one.status != FiringStatus.PENDING for one in self.tables.firings.values()), "an end not noted"

    def _check_slots(self, trigger: Trigger, firings: Sequence[Firing]) -> None:
        """Each slot belongs to one firing: every one begins where the one before ends, and the last ends before now."""
        timing = timing_of(read_schedule(trigger.trigger_type, trigger.schedule_config))
        assert timing is not None
        expected = timing.first(trigger.anchor_at)
        for firing in firings:
            assert firing.due_since == expected, f"{trigger.trigger_id}: {firing} begins at no {expected}"
            assert firing.due_since <= firing.fired_for
            expected = timing.next(firing.fired_for, trigger.anchor_at)
        assert trigger.due_at == expected
        assert expected is not None
        assert expected > self.tables.now - timedelta(minutes=1), f"{trigger.trigger_id} missed {expected}"

    def figures(self) -> Counter[str]:
        """Return how many slots came, were fired, missed and doubled; what `check` passed has none of the latter."""
        firings = self.tables.firings.values()
        return Counter(
            fired=sum(one.run_id is not None for one in firings),
            skipped=sum(one.status == FiringStatus.SKIPPED for one in firings),
            coalesced=sum(one.due_since != one.fired_for for one in firings),
        )


def _turn(trigger: Trigger) -> tuple[datetime, str]:
    return cast("datetime", trigger.due_at), trigger.trigger_id


def _age(firing: Firing) -> tuple[datetime, str, str]:
    return firing.triggered_at, firing.trigger_id, firing.slot


def _dues(tables: Tables) -> list[datetime]:
    return [one.due_at for one in tables.triggers.values() if one.due_at is not None]


def _triggers() -> list[Trigger]:
    schedules: list[tuple[str, str, str, dict[str, Any]]] = [
        ("trig_interval", "clust_a", "interval", {"interval_seconds": 600, "start_immediately": True}),
        ("trig_cron", "clust_b", "cron", {"cron_expression": "*/20 * * * *", "timezone": "Europe/Berlin"}),
        ("trig_rare", "clust_b", "cron", {"cron_expression": "30 2 * * *", "timezone": "Europe/Berlin"}),
    ]
    found = []
    for trigger_id, cluster_id, kind, config in schedules:
        timing = timing_of(read_schedule(kind, config))
        assert timing is not None
        found.append(_trigger(trigger_id, cluster_id, kind, config, timing.first(BEGINNING)))
    events = {"event_type": "documents_added", "event_threshold": 5, "collection_id": None, "cooldown_seconds": 60}
    return [*found, _trigger("trig_event", "clust_a", "event", events, None)]


def _trigger(trigger_id: str, cluster_id: str, kind: str, config: dict[str, Any], due: datetime | None) -> Trigger:
    return Trigger(
        trigger_id=trigger_id,
        namespace_id=_NAMESPACE,
        cluster_id=cluster_id,
        trigger_type=kind,
        schedule_config=config,
        changes={},
        # clocks may jump an hour behind the beginning, and what is told then is told all the same
        anchor_at=BEGINNING if kind != "event" else BEGINNING - timedelta(days=30),
        due_at=due,
        created_at=BEGINNING,
        updated_at=BEGINNING,
    )
