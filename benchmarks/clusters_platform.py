"""The calls around cluster runs, through Envoy: p50 and p99 of each beside the bytes that it moves.

Planted groups are imported and clustered by k-means on a sample, so that the map of a million documents is drawn in
minutes; then each call is made again and again over one kept connection. What is answered is counted as it comes, so
that the memory of this process does not grow with it; that of the servers is shown behind each collection's calls.
Peer: what a call costs that moves as many bytes and computes nothing is `benchmarks/results/service.md`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks._installation import installed, peaks

_FEW_ROWS = 10_000
_MANY_ROWS = 1_000_000
_GROUPS = 20
_DIMENSIONS = 8
_PLANTED_TOGETHER = 65_536
_PIECE = 1 << 18
_SECONDS = 3.0
_LEAST_CALLS = 5
_RESULTS = Path("benchmarks/results/clusters_platform.md")


def main() -> None:
    """Start a Shoal of its own, cluster a small and a large collection, measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=_MANY_ROWS, help="documents of the large collection")
    rows = parser.parse_known_args()[0].rows
    lines = [f"Command: `python -m benchmarks clusters_platform --rows {rows}`\n"]
    lines += ["| call | documents | bytes | calls | p50 ms | p99 ms |", "|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    memory: list[str] = []
    with installed() as (address, data):
        calls = _Calls(address)
        for size in dict.fromkeys((_FEW_ROWS, rows)):
            cluster, run = _clustered(calls, data, size)
            for name, call in _measured(calls, cluster, run, is_small=size == _FEW_ROWS).items():
                lines.append(_row(name, size, call))
                print(lines[-1], flush=True)
            memory.append(_memory(size, data))
            print(memory[-1], flush=True)
    lines += ["", "| largest so far, in MiB | this benchmark | importing | servers |", "|---|---|---|---|", *memory]
    if rows < _MANY_ROWS:
        return  # a trial leaves the figures of the whole
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text("# Calls around cluster runs\n\n" + "\n".join(lines) + "\n")


class _Calls:
    """One kept connection."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=3600)

    def moved(self, method: str, path: str, body: object = None) -> int:
        """Return how long the body of an answer is, without keeping it."""
        answer, room, size = self._answered(method, path, body), memoryview(bytearray(_PIECE)), 0
        while read := answer.readinto(room):
            size += read
        return size

    def json_of(self, method: str, path: str, body: object = None) -> Any:
        """Return the JSON of an answer."""
        return json.loads(self._answered(method, path, body).read())

    def _answered(self, method: str, path: str, body: object) -> http.client.HTTPResponse:
        """Return an answer that is read next; anything but 200 is an error."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"content-type": "application/json"})
        answer = self._connection.getresponse()
        if answer.status != http.client.OK:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.read()[:500]!r}")
        return answer


def _clustered(calls: _Calls, data: str, rows: int) -> tuple[str, str]:
    """Import planted vectors and cluster them; return the ids of the cluster and the run."""
    name = f"of{rows}"
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        _plant(file.name, rows)
        command = [sys.executable, "-m", "shoald", "import", file.name, "--collection", name]
        subprocess.run([*command, "--data", data], check=True, capture_output=True)
    kmeans = {"clustering_method": "kmeans", "algorithm_params": {"n_clusters": _GROUPS}, "stability": "none"}
    asked = {"cluster_name": name, "collection_ids": [name], "vector_config": kmeans, "sample_size": _FEW_ROWS}
    cluster = calls.json_of("POST", "/v1/clusters", asked)["cluster_id"]
    task = calls.json_of("POST", f"/v1/clusters/{cluster}/execute", {})
    return cluster, _ended(calls, task)["additional_data"]["run_id"]


def _plant(path: str, rows: int) -> None:
    """Write vectors of groups to a file, some at a time."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(_GROUPS, _DIMENSIONS))
    vectors = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, _DIMENSIONS))
    for first in range(0, rows, _PLANTED_TOGETHER):
        count = min(_PLANTED_TOGETHER, rows - first)
        noise = 0.2 * rng.normal(size=(count, _DIMENSIONS))
        vectors[first : first + count] = centres[rng.integers(0, _GROUPS, count)] + noise


def _ended(calls: _Calls, task: Any) -> Any:
    while task["status"] not in {"COMPLETED", "FAILED", "CANCELED"}:
        time.sleep(0.2)
        task = calls.json_of("GET", f"/v1/tasks/{task['task_id']}")
    return task


def _measured(calls: _Calls, cluster: str, run: str, *, is_small: bool) -> dict[str, Callable[[], int]]:
    """Return what to measure by its name; each returns the bytes that it moved."""
    at = f"/v1/clusters/{cluster}"

    def read(method: str, path: str, body: object = None) -> Callable[[], int]:
        return lambda: calls.moved(method, path, body)

    def exported() -> int:
        link = calls.json_of("GET", f"{at}/executions/{run}/export")
        path = urlsplit(link["url"]).path
        return calls.moved("GET", path)

    found = {
        "list clusters": read("POST", "/v1/clusters/list", {}),
        "get cluster": read("GET", at),
        "get execution": read("GET", f"{at}/executions/{run}"),
        "groups": read("GET", f"{at}/groups"),
        "visualization, 10 k points": read("GET", f"{at}/visualization"),
        "visualization, 10 k points, compact": read("GET", f"{at}/visualization?compact=true"),
        "visualization, groups only": read("GET", f"{at}/visualization?centroids_only=true"),
        "export, Parquet with its link": exported,
    }
    if is_small:
        return {**found, "execute, accepted and canceled": lambda: _executed(calls, at)}
    every = "max_points=1000000"
    return {
        **found,
        "visualization, all points": read("GET", f"{at}/visualization?{every}"),
        "visualization, all points, compact": read("GET", f"{at}/visualization?{every}&compact=true"),
    }


def _executed(calls: _Calls, at: str) -> int:
    """Accept a run and end it; two calls."""
    task = calls.json_of("POST", f"{at}/execute", {})
    run = task["additional_data"]["run_id"]
    return len(json.dumps(task)) + calls.moved("POST", f"{at}/executions/{run}/cancel")


def _row(name: str, rows: int, call: Callable[[], int]) -> str:
    size, until = call(), time.perf_counter() + _SECONDS
    times: list[float] = []
    while len(times) < _LEAST_CALLS or time.perf_counter() < until:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    p50, p99 = statistics.median(times), sorted(times)[int(len(times) * 0.99)]
    return f"| {name} | {rows:,} | {size:,} | {len(times)} | {p50 * 1e3:.1f} | {p99 * 1e3:.1f} |"


def _memory(rows: int, data: str) -> str:
    """Return a row of the most memory that processes have held since they began."""
    own, imports = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    servers = ", ".join(f"{name} {peak:.0f}" for name, peak in peaks(data).items())
    return f"| {rows:,} documents | {own:.0f} | {imports:.0f} | {servers} |"


if __name__ == "__main__":
    main()
