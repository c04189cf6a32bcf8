"""The worker's parent: one child per slot, watched, killed when it does not stop, replaced when it is gone.

It runs no job and imports nothing numeric: it must stay small, and quick when a child has to go.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from shoald.application.job_dispatch import JobDispatch
from shoald.application.job_moves import JobMoves
from shoald.application.ports.repositories.jobs import HeldJob
from shoald.worker.burials import CANCEL, DEADLINE, DIED, DRAINED, FENCED, STRAY, Burials, Grave
from shoald.worker.child_process import ChildProcess

log = logging.getLogger(__name__)

_ROUND_SECONDS = 0.25
_ANNOUNCE_SECONDS = 10.0
_SHORTEST_LIFE_SECONDS = 5.0
_LONGEST_REST_SECONDS = 10.0
_STRAY_SECONDS = 2.0
_RELEASE_SECONDS = 3.0
_GRACE_SECONDS = {CANCEL: 1.0, DEADLINE: 1.0, FENCED: 5.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """What to keep alive: `slots` by queue, the command that starts a child, and how long a drain may take."""

    slots: Mapping[str, int]
    child_command: Sequence[str]
    drain_seconds: float = 20.0


@dataclass(kw_only=True)
class WorkerParent:
    """Keeps the plan's children alive until SIGTERM or SIGINT, then drains them; `on_ready` when all are warm."""

    plan: WorkerPlan
    moves: JobMoves
    dispatch: JobDispatch
    on_ready: Callable[[], None] = lambda: None
    worker_id: str = field(default_factory=lambda: f"{socket.gethostname()}-{secrets.token_hex(4)}")
    _children: dict[tuple[str, int], ChildProcess] = field(default_factory=dict, init=False)
    _rest_until: dict[tuple[str, int], float] = field(default_factory=dict, init=False)
    _rests: dict[tuple[str, int], int] = field(default_factory=dict, init=False)
    _spawned: int = field(default=0, init=False)
    _stop_signals: int = field(default=0, init=False)
    _announced_at: float = field(default=float("-inf"), init=False)
    _looked_at: float = field(default=float("-inf"), init=False)
    _has_told_ready: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._burials = Burials(moves=self.moves, dispatch=self.dispatch)
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Work until told to stop."""
        with self._signals():
            while not self._stop_signals:
                self._fill_slots()
                self._round()
                if self._is_time_to_look():
                    self._watch_over(self._held())
                self._tell_others()
            self._drain()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Count signals, and let each end the selector's wait."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count)
        self._selector.register(ours, selectors.EVENT_READ)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            self._selector.close()
            ours.close()
            theirs.close()

    def _count(self, _number: int, _frame: object) -> None:
        self._stop_signals += 1

    def _fill_slots(self) -> None:
        for queue, n in self.plan.slots.items():
            for slot in range(n):
                place = (queue, slot)
                if place not in self._children and time.monotonic() >= self._rest_until.get(place, 0.0):
                    self._spawn(place)

    def _spawn(self, place: tuple[str, int]) -> None:
        queue, slot = place
        self._spawned += 1
        name = f"{self.worker_id}/{queue}{slot}.{self._spawned}"
        child = ChildProcess.spawn(self.plan.child_command, name=name, queue=queue, slot=slot)
        self._children[place] = child
        self._selector.register(child.line, selectors.EVENT_READ, child)

    def _round(self) -> None:
        """Wait for news of the children, take them in, and see to those that are gone."""
        for key, _ in self._selector.select(_ROUND_SECONDS):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(64)  # type: ignore[union-attr] # the signals' socket
            else:
                key.data.hear()
        for child in list(self._children.values()):
            if child.has_ended:
                self._remove(child, DIED)
        self._burials.work()
        self._say_when_ready()

    def _say_when_ready(self) -> None:
        if not self._has_told_ready and self._children and all(c.is_ready for c in self._children.values()):
            self._has_told_ready = True
            log.info("worker %s is ready: %s", self.worker_id, dict(self.plan.slots))
            self.on_ready()

    def _remove(self, child: ChildProcess, why: str) -> None:
        child.hear()
        self._selector.unregister(child.line)
        child.line.close()
        place = (child.queue, child.slot)
        del self._children[place]
        if why == DIED:
            log.warning("child %s ended %s", child.name, child.last_words)
            self._rest(place, child)
        self._burials.dig(Grave(child.name, why, child.last_words))

    def _rest(self, place: tuple[str, int], child: ChildProcess) -> None:
        """Do not start children faster than they can die of a lasting fault."""
        lived_well = child.is_ready and time.monotonic() - child.spawned_at > _SHORTEST_LIFE_SECONDS
        self._rests[place] = 0 if lived_well else self._rests.get(place, 0) + 1
        seconds = min(_LONGEST_REST_SECONDS, 0.1 * 2 ** self._rests[place]) if self._rests[place] > 1 else 0.0
        self._rest_until[place] = time.monotonic() + seconds

    def _is_time_to_look(self) -> bool:
        """Look every round while a child is at work, and now and then for claims that nobody works on."""
        is_busy = any(child.job for child in self._children.values())
        return is_busy or time.monotonic() - self._looked_at > _STRAY_SECONDS

    def _held(self) -> dict[str, HeldJob] | None:
        """Return the running job of each child by its name; None when the database does not say."""
        self._looked_at = time.monotonic()
        try:
            with self.moves.open_unit_of_work() as uow:
                return {job.worker: job for job in uow.jobs.held_by([c.name for c in self._children.values()])}
        except Exception as error:  # noqa: BLE001 - the parent outlives every failure of the database
            log.warning("cannot see the jobs of the children: %s", error)
            return None

    def _watch_over(self, held: Mapping[str, HeldJob] | None) -> None:
        if held is None:
            return
        for child in list(self._children.values()):
            job = held.get(child.name)
            wish = _reason_to_stop(child, job)
            if child.wished_for(wish) > _GRACE_SECONDS.get(wish or "", 0.0):
                self._stop(child, wish or "", job)

    def _stop(self, child: ChildProcess, why: str, job: HeldJob | None) -> None:
        if why == STRAY and job is not None:  # a claim whose answer was lost: nobody works on it
            self._burials.end(job, STRAY, "without learning of its claim")
            return
        log.warning("killing child %s, which did not stop by itself: %s", child.name, why)
        child.kill()
        self._remove(child, why)

    def _tell_others(self) -> None:
        if time.monotonic() - self._announced_at < _ANNOUNCE_SECONDS:
            return
        self._announced_at = time.monotonic()
        self._announce(self.plan.slots)

    def _announce(self, slots: Mapping[str, int]) -> None:
        try:
            with self.moves.open_unit_of_work() as uow:
                uow.jobs.announce(self.worker_id, slots)
                uow.commit()
        except Exception as error:  # noqa: BLE001 - the next announcement makes up for it
            log.warning("cannot announce the worker: %s", error)

    def _drain(self) -> None:
        """Let jobs finish that will within the drain's time; give the others back at once."""
        log.info("worker %s drains", self.worker_id)
        began = time.monotonic()
        for child in self._children.values():
            child.drain()
        while self._children and self._stop_signals == 1:
            self._round_of_drain(time.monotonic() - began)
        for child in list(self._children.values()):
            child.kill()
            self._remove(child, DRAINED)
        self._announce({})

    def _round_of_drain(self, elapsed: float) -> None:
        for key, _ in self._selector.select(_ROUND_SECONDS):
            if key.data is not None:
                key.data.hear()
            else:
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(64)  # type: ignore[union-attr] # the signals' socket
        held = self._held() or {}
        for child in list(self._children.values()):
            if child.has_ended:
                self._remove(child, DRAINED)
            elif elapsed > self._time_to_finish(held.get(child.name), elapsed):
                child.kill()
                self._remove(child, DRAINED)

    def _time_to_finish(self, job: HeldJob | None, elapsed: float) -> float:
        """Return how long after the drain's begin a child may live: to the end only if its job will be done by then."""
        if job is None or job.seconds_left is None or job.seconds_left + elapsed > self.plan.drain_seconds:
            return min(_RELEASE_SECONDS, self.plan.drain_seconds)
        return self.plan.drain_seconds


def _reason_to_stop(child: ChildProcess, job: HeldJob | None) -> str | None:
    if child.job is None:
        is_stray = job is not None and time.monotonic() - child.changed_at > _STRAY_SECONDS
        return STRAY if is_stray and child.is_ready else None
    if job is None or (job.job_id, job.attempt) != child.job:
        return FENCED
    if job.cancel_requested:
        return CANCEL
    return DEADLINE if job.is_late else None
