"""What the supervisor must know of a process in order to start it, watch it and stop it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def nothing_to_do() -> None:
    """Do nothing, for parts that need no preparation and no farewell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of an installation.

    `after` names the parts that must be ready before it starts, `uses` those that stop only after it. `is_ready` asks
    the running process itself and answers at once; a part that `ends` is a step instead, done when it exits with 0.
    `prepare` runs before every start, `before_stop` before the stop signal, in a thread of its own. The kernel sends
    `death_signal` when the supervisor dies. Users need not wait for a part that is not `awaited`.
    """

    name: str
    command: tuple[str, ...]
    address: str = ""
    after: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    ends: bool = False
    awaited: bool = True
    is_ready: Callable[[], bool] = field(default=lambda: True)
    prepare: Callable[[], None] = nothing_to_do
    before_stop: Callable[[], None] = nothing_to_do
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    ready_seconds: float = 60.0
    stop_seconds: float = 25.0
