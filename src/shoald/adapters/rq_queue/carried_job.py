"""The RQ job that carries one id of ours, and refuses to be anything else.

Whoever can write to Redis could otherwise have any importable function called, by name or by callback. Here a worker
calls the one handler that it was given, whatever name the job carries, and a job that carries anything beside the
one id is dropped unread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NoReturn

from rq.exceptions import NoSuchJobError
from rq.job import Job

log = logging.getLogger(__name__)

LABEL = "shoal.run_job"
_LARGEST_BYTES = 16 * 1024
_UNWANTED = (
    "success_callback_name",
    "failure_callback_name",
    "stopped_callback_name",
    "webhooks",
    "dependency_id",
    "dependency_ids",
    "retries_left",
    "repeats_left",
    "rate_limit_key",
    "group_id",
)


class RefusedJobError(NoSuchJobError):  # RQ passes over a job that is not there; so it does over this one
    """The entry is none of ours."""


class CarriedJob(Job):
    """An RQ job whose only content is the id of a job in PostgreSQL."""

    handle: ClassVar[Callable[[str], None] | None] = None

    def refresh(self) -> None:
        """Read the entry, unless it is too large to be one of ours."""
        size = self.connection.memory_usage(self.key, samples=0)
        if size is not None and int(size) > _LARGEST_BYTES:
            _refuse(self.id, f"{size} bytes")
        super().refresh()  # type: ignore[no-untyped-call] # RQ's own

    def restore(self, raw_data: Mapping[Any, Any]) -> Any:
        """Take the entry over, unless it wants more than to carry an id."""
        names = {_text(name) for name, value in raw_data.items() if value}
        unwanted = names.intersection(_UNWANTED)
        if unwanted:
            _refuse(self.id, ", ".join(sorted(unwanted)))
        restored = super().restore(raw_data)
        self._check_content()
        return restored

    def _check_content(self) -> None:
        try:
            name, instance, args, kwargs = self.serializer.loads(self.data)
        except Exception:  # noqa: BLE001 - whatever it is, it is no JSON of ours
            _refuse(self.id, "unreadable content")
        is_ours = name == LABEL and instance is None and not kwargs
        if not (is_ours and isinstance(args, list) and len(args) == 1 and isinstance(args[0], str)):
            _refuse(self.id, "another function or arguments")

    def _execute(self) -> None:
        """Hand the id to this worker's handler; nothing is imported by name."""
        handle = type(self).handle
        if handle is None:
            _refuse(self.id, "no handler here")
        handle(self.args[0])


def _text(name: bytes | str) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _refuse(job_id: str, why: str) -> NoReturn:
    log.warning("refused an entry of the queue, %s: %s", job_id, why)
    raise RefusedJobError(f"{job_id}: {why}")
