"""A large upload and a large set through the whole installation: its pace, and how far server and Envoy rise for it.

A rise is that of the most memory that a process has ever held, after a small file and a small set went the same way.
`python -m benchmarks scale` takes 200 MiB and 50,000 items, `python -m benchmarks scale --full` 2 GiB and 1,000,000.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks._clustering import Report
from benchmarks._installation import installed, peaks

_SMALL, _FULL, _WARMING = (200, 50_000), (2048, 1_000_000), (8, 2_000)
_MIB = 1 << 20
_LINE = "line {:08d} of a long text\n\n"
_BORDER = "shoal-benchmark-border"
_HEAD = f'--{_BORDER}\r\nContent-Disposition: form-data; name="file"; filename="large"\r\n\r\n'.encode()
_TAIL = f"\r\n--{_BORDER}--\r\n".encode()
_CUTTING = b'{"chunker_params": {"chunk_size": 30, "chunk_overlap": 0}}'


def main() -> None:
    """Measure, print, and write `benchmarks/results/scale.md`, or with `--full` `scale_full.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    is_full = parser.parse_known_args()[0].full
    report = Report("scale", "Large files and large sets", "full" if is_full else None)
    report.head("what", "MB", "seconds", "MB/s", "server rises by, MiB", "Envoy rises by, MiB")
    with installed() as (address, data):
        _Scale(address, data).measure(*_WARMING)
        for row in _Scale(address, data).measure(*(_FULL if is_full else _SMALL)):
            report.row(*row)


class _Scale:
    """One project, into which a large file and a large set go."""

    def __init__(self, address: str, data: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=3600)
        self._data = data
        self._project = self._parsed("POST", "/projects", b'{"name": "scale"}')["project_id"]

    def measure(self, mebibytes: int, items: int) -> list[tuple[str, ...]]:
        """Return a row for the upload, for the making of the set, and for its reading."""
        piece = bytes(range(256)) * (_MIB // 256)
        numbered = (number.to_bytes(8, "big") + piece[8:] for number in range(mebibytes))
        upload = self._row(f"upload of {mebibytes:,} MiB", lambda: self._upload(numbered, mebibytes * _MIB)[0])
        segments = self._segments(items)
        made: list[str] = []

        def make() -> int:
            size, head = self._read("POST", f"/segment_sets/{segments}/chunk", _CUTTING)
            made.append(head.partition(b'"chunk_set_version_id":"')[2][:36].decode())
            return size

        making = self._row(f"chunk set of {items:,} items, made and answered", make)
        return [upload, making, self._row("the same set, read", lambda: self._read("GET", f"/chunk_sets/{made[0]}")[0])]

    def _row(self, what: str, work: Any) -> tuple[str, ...]:
        before, began = peaks(self._data), time.perf_counter()
        size = work()
        seconds = time.perf_counter() - began
        rises = {name: most - before[name] for name, most in peaks(self._data).items()}
        server = max(rise for name, rise in rises.items() if name != "envoy")
        cells = size / 1e6, seconds, size / 1e6 / seconds, server, rises["envoy"]
        return what, *(f"{cell:,.1f}" for cell in cells)

    def _segments(self, count: int) -> str:
        """Upload so many short paragraphs; return the id of the set of their segments."""
        lines = (_LINE.format(number).encode() for number in range(count))
        together = iter(lambda: b"".join(itertools.islice(lines, 10_000)), b"")
        version = self._upload(together, len(_LINE.format(0)) * count)[1]["document_version"]["version_id"]
        path = f"/document_versions/{version}/segments"
        _, head = self._read("POST", path, b'{"loader_type": "text"}')
        return head.partition(b'"segment_set_version_id":"')[2][:36].decode()

    def _upload(self, pieces: Iterable[bytes], size: int) -> tuple[int, dict[str, Any]]:
        length = str(len(_HEAD) + size + len(_TAIL))
        headers = {"content-type": f"multipart/form-data; boundary={_BORDER}", "content-length": length}
        body = itertools.chain([_HEAD], pieces, [_TAIL])
        return size, self._parsed("POST", f"/projects/{self._project}/documents", body, headers)

    def _parsed(self, method: str, path: str, body: Any, headers: dict[str, str] | None = None) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(b"".join(self._answer(method, path, body, headers)))
        return parsed

    def _read(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Read an answer piece by piece; return its size and its beginning."""
        pieces = self._answer(method, path, body)
        head = next(pieces)
        return len(head) + sum(map(len, pieces)), head

    def _answer(self, method: str, path: str, body: Any, headers: dict[str, str] | None = None) -> Iterator[bytes]:
        self._connection.request(method, f"/api/v1{path}", body, headers or {"content-type": "application/json"})
        answer = self._connection.getresponse()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.read(500)!r}")
        yield from iter(lambda: answer.read(_MIB), b"")


if __name__ == "__main__":
    main()
