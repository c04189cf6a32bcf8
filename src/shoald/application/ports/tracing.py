"""What belongs to one call wherever its work happens: its request id and its trace."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CallMarks:
    """The request id of a call, and its place in a trace as a W3C `traceparent`; None where there is none."""

    request_id: str | None = None
    trace_parent: str | None = None


class Tracing(Protocol):
    """Carries the marks of a call into its jobs."""

    def current(self) -> CallMarks:
        """Return the marks of the call that this thread serves."""
        ...

    def job_span(self, name: str, marks: CallMarks, **fields: str | int) -> AbstractContextManager[None]:
        """Do what is inside as part of the call with these marks; log lines carry them and the fields."""
        ...


class NoTracing:
    """Marks nothing."""

    def current(self) -> CallMarks:
        """Return no marks."""
        return CallMarks()

    def job_span(self, name: str, marks: CallMarks, **fields: str | int) -> AbstractContextManager[None]:
        """Do what is inside."""
        del name, marks, fields
        return nullcontext()
