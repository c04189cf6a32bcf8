"""Takes what a process tells of itself from the settings; every entry point begins with it."""

from __future__ import annotations

from shoald.adapters.telemetry.setup import Telemetry
from shoald.settings import Settings


def telemetry_of(settings: Settings) -> Telemetry:
    """Return how a process tells of itself."""
    return Telemetry(
        log_level=settings.log_level,
        log_format=settings.log_format,
        metrics_host=settings.metrics_host,
        metrics_port=settings.metrics_port,
        envoy_admin=settings.envoy_admin,
    )
