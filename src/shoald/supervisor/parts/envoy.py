"""Envoy as a part: the one door for JSON, gRPC and gRPC-Web, with a configuration written at each start."""

from __future__ import annotations

import http.client
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from shoald.supervisor import binaries
from shoald.supervisor.envoy_config import EnvoyForm, render
from shoald.supervisor.part import Part

_POLL_SECONDS = 0.05
_TIMEOUT_SECONDS = 2.0
_GOODBYE_SECONDS = 1  # in which each answer says that its connection ends; then the port is closed


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyServer:
    """One Envoy; `run` is the folder of its configuration, `drain_seconds` what running calls get when it stops."""

    form: EnvoyForm
    run: Path
    drain_seconds: float

    def part(self, *, servers: tuple[str, ...]) -> Part:
        """Return it as the supervisor sees it, in front of these parts."""
        concurrency = max(2, len(os.sched_getaffinity(0)) // 2)  # one thread transcodes a large answer, one goes on
        options = ["--disable-hot-restart", "--concurrency", str(concurrency), "--log-level", "warning"]
        options += ["--drain-strategy", "immediate", "--drain-time-s", str(_GOODBYE_SECONDS)]
        return Part(
            name="envoy",
            command=(binaries.envoy(), "-c", str(self.configuration), *options),
            address=self.form.listen,
            after=servers,
            uses=servers,
            is_ready=self.is_ready,
            prepare=self.prepare,
            before_stop=self.drain,
            stop_seconds=10.0,
        )

    @property
    def configuration(self) -> Path:
        """The file it starts with."""
        return self.run / "envoy.json"

    def prepare(self) -> None:
        """Write the configuration."""
        self.configuration.write_text(json.dumps(render(self.form), indent=1))

    def is_ready(self) -> bool:
        """Ask the API for its health, all the way through to a server."""
        return _ask(self.form.listen, "GET", "/health")[0] == http.client.OK

    def drain(self) -> None:
        """Tell every client that its connection ends, take no new ones, and wait for the running calls to end."""
        _ask(self.form.admin, "POST", "/drain_listeners?graceful")
        deadline = time.monotonic() + self.drain_seconds
        time.sleep(min(_GOODBYE_SECONDS, self.drain_seconds))
        while self._active_calls() > 0 and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _active_calls(self) -> int:
        _, body = _ask(self.form.admin, "GET", "/stats?filter=^http\\.shoal\\.downstream_rq_active$")
        return int(body.rpartition(":")[2].strip() or 0)


def _ask(address: str, method: str, path: str) -> tuple[int, str]:
    """Call over HTTP; an address that does not answer gives status 0."""
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()
