"""What the use cases ask of stored jobs in the shape of tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shoald.application.listing import Selection
from shoald.domain.records.job import Job


class TaskRepository(Protocol):
    """Jobs that clients see as tasks; those whose run is gone with its cluster are not there.

    `namespace_ids` are those whose tasks are meant, none means all; `words` are the job types that are tasks, and what
    each is called as one.
    """

    def get(self, task_id: str, words: Mapping[str, str]) -> Job | None:
        """Return a task of any namespace."""
        ...

    def count(self, namespace_ids: Sequence[str], words: Mapping[str, str], selection: Selection) -> int:
        """Count what `list` would return without limits."""
        ...

    def list(self, namespace_ids: Sequence[str], words: Mapping[str, str], selection: Selection) -> list[Job]:
        """Return tasks, newest first unless sorted."""
        ...
