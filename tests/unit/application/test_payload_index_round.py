"""Jobs for indexes are asked for, whichever namespace has too many waiting."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from shoald.application.jobs import JobRequest
from shoald.application.payload_indexing import PayloadIndexRound
from shoald.application.ports.repositories.jobs import JobFilter
from shoald.domain.failures import Busy
from shoald.domain.records.job import Job
from shoald.domain.records.payload_index import BUILDING, DeclaredIndex

AT = datetime(2026, 11, 1, tzinfo=UTC)


def test_a_namespace_with_too_many_jobs_keeps_no_other_s_indexes_waiting() -> None:
    indexes = [DeclaredIndex(namespace, "colour", BUILDING, AT) for namespace in ("ns_crowd", "ns_other")]
    dispatched: list[str] = []
    looked_for: list[tuple[str, str, int]] = []

    def accept(_uow: object, request: JobRequest) -> str:
        if request.caller.namespace_id == "ns_crowd":
            raise Busy
        return request.caller.namespace_id

    def find(wanted: JobFilter, *, limit: int) -> list[Job]:
        looked_for.append((wanted.namespace_id, dict(wanted.payload or {})["field_name"], limit))
        return []

    uow = SimpleNamespace(
        collections=SimpleNamespace(unfinished_indexes=lambda: indexes),
        jobs=SimpleNamespace(find=find),
        commit=lambda: None,
    )
    jobs: Any = SimpleNamespace(accepted_before=lambda *_: None, accept=accept, dispatch=dispatched.append)
    opens: Any = lambda: nullcontext(uow)  # noqa: E731 - it is typed as a port
    clock: Any = SimpleNamespace(now=lambda: AT)
    assert PayloadIndexRound(open_unit_of_work=opens, jobs=jobs, clock=clock).run_pass() == 1
    assert dispatched == ["ns_other"]
    assert looked_for == [("ns_crowd", "colour", 1), ("ns_other", "colour", 1)], "one row each, however many jobs"
