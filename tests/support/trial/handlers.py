"""Jobs that exist in tests only: each does to a worker what real jobs do on bad days."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import text

from shoald.application.ports.jobs import JobContext
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import InvalidLoaderParams, StorageFull
from shoald.domain.json_types import JsonObject
from shoald.domain.records.job import Job

TRIAL = "trial"
HEAVY_TRIAL = "index_build"  # a real type, so that the trial goes to the heavy queue

TABLES = """
CREATE TABLE IF NOT EXISTS trial_starts (job_id text, attempt int, pid int, at timestamptz DEFAULT clock_timestamp());
CREATE TABLE IF NOT EXISTS trial_results (job_id text, attempt int, content text);
CREATE TABLE IF NOT EXISTS trial_follows (job_id text, state text, attempt int);
"""


def _execute(uow: UnitOfWork, statement: str, **values: Any) -> None:
    uow.jobs._connection.execute(text(statement), values)  # type: ignore[attr-defined]


class TrialHandler:
    """Runs `payload["kind"]`, publishes `payload["content"]` twice over, in the transaction that completes."""

    def __init__(self, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open_unit_of_work = open_unit_of_work

    def run(self, context: JobContext) -> None:
        job = context.job
        with self._open_unit_of_work() as uow:
            statement = "INSERT INTO trial_starts (job_id, attempt, pid) VALUES (:job_id, :attempt, :pid)"
            _execute(uow, statement, job_id=job.job_id, attempt=job.attempt, pid=os.getpid())
            uow.commit()
        KINDS[job.payload.get("kind", "sleep")](context, job.payload)
        with self._open_unit_of_work() as uow:
            for half in ("first", "second"):  # a result that is only half there would show
                statement = "INSERT INTO trial_results VALUES (:job_id, :attempt, :content)"
                content = f"{job.payload.get('content', '')} {half}"
                _execute(uow, statement, job_id=job.job_id, attempt=job.attempt, content=content)
            context.complete(uow, {"attempt": job.attempt})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        statement = "INSERT INTO trial_follows (job_id, state, attempt) VALUES (:job_id, :state, :attempt)"
        _execute(uow, statement, job_id=job.job_id, state=job.state.value, attempt=job.attempt)


def _sleep(context: JobContext, payload: JsonObject) -> None:
    """Work for `seconds` in small blocks, as a well-behaved stage does."""
    seconds = float(payload.get("seconds", 0))
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        context.progress("sleeping", elapsed / seconds, f"{elapsed:.1f} s")
        time.sleep(0.02)


def _stubborn(_context: JobContext, payload: JsonObject) -> None:
    """Never look at the flag."""
    time.sleep(float(payload["seconds"]))


def _swallow(context: JobContext, payload: JsonObject) -> None:
    """Look, and take no notice."""
    until = time.monotonic() + float(payload["seconds"])
    while time.monotonic() < until:
        with contextlib.suppress(Exception):
            context.check()
        time.sleep(0.02)


def _hog(_context: JobContext, payload: JsonObject) -> None:
    """Hold the interpreter's lock, so that no other thread of the process runs."""
    re.match(r"(a+)+$", "a" * int(payload.get("size", 34)) + "b")


def _die_at_first(context: JobContext, payload: JsonObject) -> None:
    """Be killed while at work, as many times as asked."""
    if context.job.attempt <= int(payload.get("times", 1)):
        os.kill(os.getpid(), signal.SIGKILL)


def _fail(_context: JobContext, _payload: JsonObject) -> None:
    raise InvalidLoaderParams("No such column.", detail={"column": "text"}, hint="look again")


def _full(context: JobContext, payload: JsonObject) -> None:
    if context.job.attempt <= int(payload.get("times", 99)):
        raise StorageFull


def _surprise(_context: JobContext, _payload: JsonObject) -> None:
    raise ZeroDivisionError("secret words that no user sees")


def _hungry(_context: JobContext, payload: JsonObject) -> None:
    """Ask for more memory than there is."""
    block = bytearray(int(payload["bytes"]))
    del block


def _freeze_at_first(context: JobContext, _payload: JsonObject) -> None:
    """Freeze the whole process, as a machine that sleeps does."""
    if context.job.attempt == 1:
        os.kill(os.getpid(), signal.SIGSTOP)


KINDS: dict[str, Callable[[JobContext, JsonObject], None]] = {
    "sleep": _sleep,
    "stubborn": _stubborn,
    "swallow": _swallow,
    "hog": _hog,
    "die": _die_at_first,
    "fail": _fail,
    "full": _full,
    "surprise": _surprise,
    "hungry": _hungry,
    "freeze": _freeze_at_first,
}


def add_handlers(adapters: Any) -> None:
    """Let a process run trial jobs, on both queues."""
    handler = TrialHandler(adapters.open_unit_of_work)
    adapters.job_handlers.add(TRIAL, lambda: handler)
    adapters.job_handlers.add(HEAVY_TRIAL, lambda: handler)
