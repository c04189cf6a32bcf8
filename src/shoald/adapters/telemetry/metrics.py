"""Prometheus on one address for all processes of a machine, whichever of them is there to answer.

Each process writes its numbers into files of one folder (`PROMETHEUS_MULTIPROC_DIR`, which must be set before the first
metric is made). Each also tries to listen at the one port: the first answers for all, and when it ends another takes
over. Without such a folder a process shows its own numbers only.
"""

from __future__ import annotations

import http.client
import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_RETRY_SECONDS = 5.0
_ENVOY_SECONDS = 1.0
_FILE_OF_PROCESS = re.compile(r"_(\d+)\.db$")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def metrics_folder() -> Path | None:
    """Return the folder that the processes share, if one is set and there."""
    name = os.environ.get(_FOLDER)
    return Path(name) if name and Path(name).is_dir() else None


def _processes(folder: Path) -> set[int]:
    found = (_FILE_OF_PROCESS.search(path.name) for path in folder.glob("*.db"))
    return {int(match.group(1)) for match in found if match}


def _is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


class Memory(Collector):
    """What each living process holds, read from the kernel when it is asked for."""

    def __init__(self, pids: set[int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return one number for each process."""
        family = GaugeMetricFamily("shoal_process_resident_bytes", "Memory that a process holds.", labels=["pid"])
        for pid in sorted(self._pids):
            try:
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            family.add_metric([str(pid)], pages * _PAGE)
        yield family


def exposition() -> bytes:
    """Return the numbers of all processes in Prometheus' text form."""
    folder = metrics_folder()
    if folder is None:
        registry, pids = REGISTRY, {os.getpid()}
        own = CollectorRegistry()
        own.register(Memory(pids))
        return generate_latest(registry) + generate_latest(own)
    pids = _processes(folder)
    for pid in pids:
        if not _is_alive(pid):
            mark_process_dead(pid)  # type: ignore[no-untyped-call] # its counters stay, for sums only grow; its gauges go
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    registry.register(Memory({pid for pid in pids if _is_alive(pid)}))
    return generate_latest(registry)


def envoy_exposition(admin: str | None) -> bytes:
    """Return Envoy's own numbers, or nothing while it does not answer."""
    if not admin:
        return b""
    connection = http.client.HTTPConnection(admin, timeout=_ENVOY_SECONDS)
    try:
        connection.request("GET", "/stats/prometheus?usedonly&filter=^(http|cluster|server)\\.")
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return b""
    finally:
        connection.close()


def serve_metrics(service: str, *, host: str, port: int | None, envoy_admin: str | None = None) -> None:
    """Let this process be seen, and answer at the port whenever no other process does; None answers nowhere."""
    _say_who_we_are(service)
    if port is not None:
        threading.Thread(target=_answer_for_ever, args=(host, port, envoy_admin), name="metrics", daemon=True).start()


def _say_who_we_are(service: str) -> None:
    if metrics_folder() is None:
        Info("shoal_process", "The process that answers.").info({"service": service})
    else:
        Gauge(
            "shoal_process_start_seconds", "When a process started.", ["service"], multiprocess_mode="liveall"
        ).labels(service).set_to_current_time()


def _answer_for_ever(host: str, port: int, envoy_admin: str | None) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.partition("?")[0] not in {"/metrics", "/"}:
                self.send_error(404)
                return
            body = exposition() + envoy_exposition(envoy_admin)
            self.send_response(200)
            self.send_header("content-type", CONTENT_TYPE_LATEST)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing: a scrape each few seconds is no news."""

    while True:
        try:
            with ThreadingHTTPServer((host, port), Handler) as server:
                server.serve_forever()
        except OSError:  # another process answers
            time.sleep(_RETRY_SECONDS)
