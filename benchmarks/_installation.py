"""A Shoal of a benchmark's own: `shoal up` on a folder of its own, spoken to as JSON over one kept connection."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def installation() -> Iterator[str]:
    """Yield the address (host:port) of a Shoal whose parts are all ready; it is gone when the block ends."""
    with installed() as (address, _):
        yield address


@contextmanager
def installed() -> Iterator[tuple[str, str]]:
    """Yield the address of such a Shoal, and its data folder, for commands that work on it."""
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as folder:
        data = str(Path(folder) / "data")
        _command("up", "--detach", "--port", str(_free_port()), "--data", data)
        try:
            yield _when_ready(data)["http"].removeprefix("http://"), data
        finally:
            _command("down", "--data", data)


def _when_ready(data: str) -> dict[str, Any]:
    while True:
        state: dict[str, Any] = json.loads(_command("status", "--json", "--data", data))
        if all(part["state"] in {"ready", "done"} for part in state["parts"].values()):
            return state
        time.sleep(0.5)


def peaks(data: str) -> dict[str, int]:
    """Return the most memory, in MiB, that each server and Envoy of an installation have held since they began."""
    parts = json.loads(_command("status", "--json", "--data", data))["parts"]
    found = {}
    for name, part in parts.items():
        if name == "envoy" or name.startswith("serve-"):
            status = Path(f"/proc/{part['pid']}/status").read_text()
            found[name] = int(status.partition("VmHWM:")[2].split()[0]) // 1024
    return found


def postgres_milliseconds(data: str) -> float:
    """Return the processor time of the sessions that PostgreSQL of an installation has now."""
    if data not in _POSTGRES:
        _POSTGRES[data] = json.loads(_command("status", "--json", "--data", data))["parts"]["postgres"]["pid"]
    spent = 0
    for pid in Path(f"/proc/{_POSTGRES[data]}/task/{_POSTGRES[data]}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):
            if b"shoal" in Path(f"/proc/{pid}/cmdline").read_bytes():
                spent += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return spent / 1e6


_POSTGRES: dict[str, int] = {}


def _command(*words: str) -> str:
    command = [sys.executable, "-m", "shoald", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """One connection to a Shoal."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=3600)

    def post(self, path: str, body: object = None) -> Any:
        """Send JSON and return the JSON that is answered."""
        return json.loads(self.raw("POST", path, json.dumps(body or {}).encode()))

    def raw(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """Send bytes and return the answer's; anything but 200 is an error."""
        self._connection.request(method, f"/api/v1{path}", body, {"content-type": kind} if body else {})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
        return content

    def upload(self, project_id: str, filename: str, content: bytes) -> str:
        """Upload a file and return the id of its version."""
        border = "shoal-benchmark-border"
        head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{border}--\r\n".encode()
        answer = self.raw("POST", f"/projects/{project_id}/documents", body, f"multipart/form-data; boundary={border}")
        return str(json.loads(answer)["document_version"]["version_id"])
