"""Starts the real owner process on a free port, for tests that may also kill it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class OwnerProcess:
    """One owner process and what is needed to start it again on the same directory and port."""

    def __init__(self, data: Path, *, api_key: str | None = None) -> None:
        self._data = data
        self._ready = data / "owner.ready"
        self._api_key = api_key
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and wait until it takes calls."""
        self._ready.unlink(missing_ok=True)
        process = self.spawn()
        self.process = process
        ends = time.monotonic() + 30
        while not self._ready.exists():
            assert process.poll() is None, f"the owner process ended with {process.returncode}"
            assert time.monotonic() < ends, "the owner process does not get ready"
            time.sleep(0.02)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start a process without waiting."""
        environment = {**os.environ, "SHOAL_DATA_DIR": str(self._data), "SHOAL_QDRANT_URL": self.url}
        environment["SHOAL_READY_FILE"] = str(self._ready)
        if self._api_key:
            environment["SHOAL_QDRANT_API_KEY"] = self._api_key
        return subprocess.Popen([sys.executable, "-m", "shoald", "qdrant-owner"], env=environment)

    def kill(self) -> None:
        """End it without warning."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@contextmanager
def owner_process(data: Path, *, api_key: str | None = None) -> Iterator[OwnerProcess]:
    """Run an owner for the length of a `with`."""
    data.mkdir(parents=True, exist_ok=True)
    owner = OwnerProcess(data, api_key=api_key)
    owner.start()
    try:
        yield owner
    finally:
        if owner.process is not None and owner.process.poll() is None:
            owner.kill()
