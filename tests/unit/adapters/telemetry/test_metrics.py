"""All processes are seen at one address, and another answers when the first one ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from shoald.supervisor.ports import free_port

SCRIPT = """
import sys, time
from prometheus_client import Counter
from shoald.adapters.telemetry import metrics
metrics._RETRY_SECONDS = 0.1
counter = Counter("trial_total", "Trial.")
counter.inc(int(sys.argv[2]))
metrics.serve_metrics(f"part-{sys.argv[2]}", host="127.0.0.1", port=int(sys.argv[1]))
time.sleep(60)
"""


def start(port: int, amount: int, folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(port), str(amount)], env=environment)


def scrape(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=2) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def until(port: int, holds: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        text = scrape(port)
        if holds(text):
            return text
        time.sleep(0.05)
    raise AssertionError(f"never as expected; last: {text}")


def test_one_address_shows_all_and_outlives_the_process_that_answers(tmp_path: Path) -> None:
    port = free_port()
    first = start(port, 1, tmp_path)
    second = None
    try:
        until(port, lambda text: "trial_total 1.0" in text)
        second = start(port, 2, tmp_path)
        text = until(port, lambda text: "trial_total 3.0" in text)
        assert f'shoal_process_resident_bytes{{pid="{first.pid}"}}' in text
        until(port, lambda text: 'service="part-2"' in text)
        first.kill()
        first.wait()
        text = until(port, lambda text: "trial_total 3.0" in text)  # counters of the dead stay
        assert f'pid="{first.pid}"' not in text
    finally:
        for process in (first, second):
            if process is not None:
                process.kill()
                process.wait()
