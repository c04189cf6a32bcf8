"""Sets up what a process tells of itself: logs always, traces where the standard variables ask for them."""

from __future__ import annotations

from typing import Literal

from shoald.adapters.telemetry.logs import set_up_logs
from shoald.adapters.telemetry.traces import set_up_traces


def set_up_telemetry(
    service: str, *, level: str = "info", form: Literal["json", "console"] = "json", flush_at_once: bool = False
) -> None:
    """Prepare a process; call it once, before anything logs."""
    set_up_logs(service, level=level, form=form)
    set_up_traces(service, flush_at_once=flush_at_once)
