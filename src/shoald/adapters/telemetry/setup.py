"""Sets up what a process tells of itself: logs always, metrics and traces where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from shoald.adapters.telemetry.logs import set_up_logs
from shoald.adapters.telemetry.metrics import serve_metrics
from shoald.adapters.telemetry.traces import set_up_traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """How a process tells of itself; `metrics_port` None shows no metrics."""

    log_level: str = "info"
    log_format: Literal["json", "console"] = "json"
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    envoy_admin: str | None = None


def set_up_telemetry(service: str, how: Telemetry) -> None:
    """Prepare a process; call it once, before anything logs."""
    set_up_logs(service, level=how.log_level, form=how.log_format)
    set_up_traces(service)
    serve_metrics(service, host=how.metrics_host, port=how.metrics_port, envoy_admin=how.envoy_admin)
