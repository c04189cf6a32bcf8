"""A whole installation for tests: `shoal up` on a temporary data directory and a free port."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoald.supervisor.ports import free_port

SHOAL = (sys.executable, "-m", "shoald")


@dataclass(frozen=True, slots=True)
class Stack:
    """A running installation: its base URL for JSON, `host:port` for gRPC, and its data directory."""

    url: str
    data: Path

    @property
    def address(self) -> str:
        """Where gRPC clients connect."""
        return self.url.removeprefix("http://")

    def status(self) -> dict[str, Any]:
        """Return what `shoal status --json` says."""
        return status(self.data)

    def environment(self) -> dict[str, str]:
        """Return the settings of the installation's processes, for a test that looks behind the API."""
        from shoald.supervisor.installation import Installation
        from shoald.supervisor.plan import environment

        return environment(Installation(self.data), self.url)


def shoal(
    *words: str, environment: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run a `shoal` command to its end."""
    return subprocess.run(
        [*SHOAL, *words], capture_output=True, text=True, timeout=timeout, check=False, env=environment
    )


def status(data: Path) -> dict[str, Any]:
    """Return what `shoal status --json` says of a data directory."""
    found = json.loads(shoal("status", "--json", "--data", str(data)).stdout)
    assert isinstance(found, dict)
    return found


@contextlib.contextmanager
def running_stack(data: Path, *options: str) -> Iterator[Stack]:
    """Run a whole installation for as long as the block lasts; its webhooks may reach receivers on loopback."""
    settings = {**os.environ, "SHOAL_OUTWARD_PRIVATE_NETWORKS": "127.0.0.0/8"}
    words = ("up", "--detach", "--data", str(data), "--port", str(free_port()), *options)
    started = shoal(*words, environment=settings, timeout=180)
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        yield Stack(url=str(status(data)["http"]), data=data)
    finally:
        shoal("down", "--data", str(data))
