"""The Redis-compatible server as a part: append-only file, nothing evicted, a password, loopback only."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from shoald.supervisor.binaries import valkey_server
from shoald.supervisor.part import Part

_ANSWER_SECONDS = 0.3  # the supervisor asks again, and all other parts wait for each of its questions


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyServer:
    """One server on one data directory."""

    data: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The URL for redis-py."""
        return f"redis://:{quote(self.password, safe='')}@127.0.0.1:{self.port}/0"

    def part(self) -> Part:
        """Return it as the supervisor sees it."""
        return Part(
            name="valkey",
            command=(valkey_server(), str(self._configuration)),
            address=f"127.0.0.1:{self.port}",
            is_ready=self.is_ready,
            prepare=self.prepare,
            stop_signal=signal.SIGTERM,
            death_signal=signal.SIGTERM,  # it writes out its log and ends at once
        )

    @property
    def _configuration(self) -> Path:
        return self.data / "valkey.conf"

    def prepare(self) -> None:
        """Write the configuration; a file, since the password on a command line would be everybody's to read."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [
            "bind 127.0.0.1",
            f"port {self.port}",
            f'dir "{self.data}"',
            f"requirepass {self.password}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",  # an evicted job would be lost without a word
            "daemonize no",
            "tcp-keepalive 60",
        ]
        self._configuration.touch(mode=0o600)
        self._configuration.write_text("\n".join(lines) + "\n")

    def is_ready(self) -> bool:
        """Ask the server whether it has loaded its data."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=_ANSWER_SECONDS) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = connection.recv(256)
                if b"+PONG" not in answer and answer.startswith(b"+OK"):
                    answer += connection.recv(256)
        except OSError:
            return False
        return b"+PONG" in answer
