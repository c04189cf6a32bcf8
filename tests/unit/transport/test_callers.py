"""How long callers of short calls wait."""

from __future__ import annotations

from shoald.supervisor.envoy_config import EnvoyForm
from shoald.transport.callers import SHORT_CALL_SECONDS


def test_the_server_gives_a_short_call_up_before_envoy_does() -> None:
    envoy = EnvoyForm(listen="", admin="", unary=(), streams=())
    assert envoy.unary_seconds - 10 < SHORT_CALL_SECONDS < envoy.unary_seconds
