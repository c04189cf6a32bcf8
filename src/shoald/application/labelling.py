"""Questions about groups go in; the names that a language model gives them, and why some have none, come out.

Each group is one question: its documents reach no other question, no answer can be taken for another group's, and an
answer is known again by what was asked, whatever the group is called.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from shoald.application.labelling_attempts import Asking, Outcome, Stopped
from shoald.application.ports.label_ledger import CallEstimate, LabelBudget
from shoald.domain.labelling.prompts import LabelPrompt

_LOOK_SECONDS = 0.25
FAILURES_IN_A_ROW = 5
"""Groups for which a model did not answer, one after another, before the others are not asked for any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The question about one group of a run, and how many documents the group has."""

    cluster_id: str
    prompt: LabelPrompt
    size: int
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How patient labelling is: seconds for all of it and for one call, and calls at a time."""

    run_seconds: float = 900.0
    call_seconds: float = 30.0
    at_once: int = 4


@dataclass(slots=True)
class _Round:
    """What the threads of one round share. `failed` counts groups in a row that a model did not answer for."""

    ends: float
    estimates: Mapping[str, CallEstimate]
    stop: threading.Event = field(default_factory=threading.Event)
    why: str = ""
    failed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, outcome: Outcome) -> None:
        """Stop the round when no further question would be answered."""
        with self.lock:
            self.failed = self.failed + 1 if outcome.was_unanswered else 0
            if outcome.is_general:
                self.halt(outcome.reason or "")
            elif self.failed >= FAILURES_IN_A_ROW:
                self.halt(f"not asked: the model had not answered for {self.failed} groups in a row")

    def halt(self, why: str) -> None:
        """Let nobody ask any more."""
        self.why = self.why or why
        self.stop.set()


class Labelling:
    """Asks one model about the groups of one run, several questions at a time, largest group first."""

    def __init__(
        self,
        *,
        asking: Asking,
        budget: LabelBudget,
        estimate: Callable[[LabelPrompt], CallEstimate],
        terms: Terms,
    ) -> None:
        self._asking = asking
        self._budget = budget
        self._estimate = estimate
        self._terms = terms
        self._ends = time.monotonic() + terms.run_seconds

    def answers(self, questions: Sequence[Question], step: Callable[[float], None]) -> dict[str, Outcome]:
        """Return what came of each question, by the group's id; `step` takes the progress, and may end it by raising.

        What is being asked when it ends is left alone: its thread ends within the time of a call.
        """
        if not questions:
            return {}
        estimates = {one.cluster_id: self._estimate(one.prompt) for one in questions}
        self._budget.plan({one.prompt.content_hash: estimates[one.cluster_id] for one in questions})
        shared = _Round(ends=self._ends, estimates=estimates)
        threads = ThreadPoolExecutor(self._terms.at_once, thread_name_prefix="labels")
        try:
            return dict(self._done(threads, questions, shared, step))
        finally:
            shared.halt("the run was stopped")
            threads.shutdown(wait=False, cancel_futures=True)

    def _done(
        self, threads: ThreadPoolExecutor, questions: Sequence[Question], shared: _Round, step: Callable[[float], None]
    ) -> Iterator[tuple[str, Outcome]]:
        ordered = sorted(questions, key=lambda one: -one.size)
        known = iter(ordered)
        waiting: dict[Future[Outcome], str] = {}
        done = 0
        while True:
            for question in self._more(known, room=2 * self._terms.at_once - len(waiting)):
                # threads work for whom this one works
                run = contextvars.copy_context().run
                waiting[threads.submit(run, self._one, question, shared)] = question.cluster_id
            if not waiting:
                return
            finished, _ = wait(waiting, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
            for one in finished:
                yield waiting.pop(one), one.result()
            done += len(finished)
            step(done / len(ordered))

    def _more(self, known: Iterator[Question], *, room: int) -> Iterator[Question]:
        for _ in range(max(0, room)):
            question = next(known, None)
            if question is None:
                return
            yield question

    def _one(self, question: Question, shared: _Round) -> Outcome:
        outcome = self._asking.ask(
            question.prompt,
            shared.estimates[question.cluster_id],
            self._budget,
            stopped=Stopped(event=shared.stop, ends=shared.ends, why=lambda: shared.why),
            candidates=question.candidates,
        )
        shared.note(outcome)
        return outcome


def unnamed_by_reason(unnamed: Mapping[str, str]) -> tuple[str, ...]:
    """Say which groups have no name of a model and why, a sentence for each reason; `unnamed` has them by group.

    >>> unnamed_by_reason({"cl_1": "the answer was no JSON", "cl_4": "the answer was no JSON"})
    ('cl_1, cl_4: not named by the model, since the answer was no JSON',)
    """
    groups: dict[str, list[str]] = {}
    for cluster_id, reason in unnamed.items():
        groups.setdefault(reason, []).append(cluster_id)
    return tuple(f"{', '.join(ids)}: not named by the model, since {reason}" for reason, ids in groups.items())
