"""What the supervisor must know of a process in order to start it, watch it and stop it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def nothing_to_prepare() -> None:
    """Prepare a part that needs no preparation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One process of an installation.

    `is_ready` asks the running process itself and answers at once. `prepare` runs before every start.
    `death_signal` is what the kernel sends the process when its supervisor dies.
    """

    name: str
    command: tuple[str, ...]
    address: str
    is_ready: Callable[[], bool]
    prepare: Callable[[], None] = nothing_to_prepare
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    ready_seconds: float = 60.0
    stop_seconds: float = 25.0
