"""What whole runs state of their memory before they start, and what they then take, in processes of their own.

2,000 and 10,000 rows; with `SHOAL_BENCH=small` 1,000 and 2,000; with `--all` 1,000 to 20,000. With `--limited` how runs
of 2,000 to 50,000 rows end under a limit of 2 GiB. Other options: `--method`, `--rows`, `--width`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks._clustering import Report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.memory_cases import (
    AT_REST_MIB,
    BESIDE,
    GIVEN,
    LIMIT_MIB,
    MIB,
    STEPS,
    WITH_MAP,
    MemoryCase,
    case_of_groups,
    case_under_a_limit,
    cases_of_other_kinds,
)
from support.memory_runs import MemoryOutcome, measured_case, measured_cases

SMALL = os.environ.get("SHOAL_BENCH") == "small"
SIZES = (1000, 2000) if SMALL else (2000, 10_000)
ALL_SIZES = (1000, 2000, 5000, 10_000, 20_000)
LARGE = (1000, 2000) if SMALL else (2000, 5000, 10_000, 20_000, 50_000)
WAYS = ("too many", "approximate", "were followed")
"""What runs say when they take another way than the one that was asked for."""
BESIDE_ROWS = 2000 if SMALL else 10_000


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", nargs="*", default=sorted(GIVEN))
    parser.add_argument("--rows", nargs="*", type=int)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--all", action="store_true", help="five sizes")
    parser.add_argument("--limited", action="store_true", help="only what ends how under a limit of 2 GiB")
    asked = parser.parse_args()
    if asked.limited:
        _limited(asked.method, asked.rows or LARGE, asked.width)
        return
    sizes = asked.rows or (ALL_SIZES if asked.all else SIZES)
    report = Report("clustering_memory", "The memory that runs state and take")
    report.say(
        f"Whole runs over unit rows of {asked.width} dimensions in 40 planted groups, with a map and the quick "
        "stability. MiB of private memory beside what the process held before; stated before anything is computed."
    )
    report.head("run", "rows", "stated", "measured", "stated / measured", "largest stage as measured", "cpu s")
    with tempfile.TemporaryDirectory() as folder:
        for method in asked.method:
            cases = [case_of_groups(Path(folder), method, rows, asked.width) for rows in sizes]
            for case, found in zip(cases, measured_cases(cases), strict=True):
                _told(report, method, case.rows, found)
        if len(asked.method) == len(GIVEN):
            _others(report, Path(folder), asked.width)


def _others(report: Report, folder: Path, width: int) -> None:
    rows = BESIDE_ROWS
    for name, steps in STEPS.items():
        case = case_of_groups(folder, "hdbscan", rows, width, asked={"preprocessing_steps": steps})
        _row(report, f"hdbscan after {name}", rows, case)
    for name, beside in BESIDE.items():
        _row(report, f"kmeans, {name}", rows, case_of_groups(folder, "kmeans", rows, width, **beside))
    for name, case in cases_of_other_kinds(folder, rows, width).items():
        _row(report, name, rows, case)


def _limited(methods: Sequence[str], sizes: Sequence[int], width: int) -> None:
    """Say how each ends where a process may take 2 GiB and is killed above that."""
    report = Report("clustering_memory", "How runs end under a limit of 2 GiB", part="limited")
    report.say(
        f"All rows of {width} dimensions. A process may hold {LIMIT_MIB} MiB of private memory and is killed above "
        f"that; {AT_REST_MIB} of them are left to what is no run's. Without stability, and without a map above "
        f"{WITH_MAP} rows. MiB."
    )
    report.head("run", "rows", "stated", "measured", "process", "how it ended", "cpu s")
    with tempfile.TemporaryDirectory() as folder:
        for method in methods:
            cases = [case_under_a_limit(Path(folder), method, rows, width) for rows in sizes]
            for case, found in zip(cases, measured_cases(cases, kill_above=LIMIT_MIB * MIB), strict=True):
                stated = (found.stated or 0) / MIB
                of_run, of_process = found.measured / MIB, found.of_process / MIB
                report.row(method, case.rows, stated, of_run, of_process, _end(found), found.seconds)


def _end(found: MemoryOutcome) -> str:
    """Return how a run ended: refused with its number, or done, and by which way that it named."""
    if found.was_killed:
        return "killed"
    if found.refused is not None:
        return f"refused: {found.refused}"
    ways = [one for one in found.warnings if any(word in one for word in WAYS)]
    return ", ".join(["done", *(["from a mapped file"] if found.is_mapped else []), *ways])


def _row(report: Report, name: str, rows: int, case: MemoryCase) -> None:
    _told(report, name, rows, measured_case(case))


def _told(report: Report, name: str, rows: int, found: MemoryOutcome) -> None:
    stage = max(found.stages, key=lambda one: found.stages[one], default="-")
    stated, measured = (found.stated or 0) / MIB, found.measured / MIB
    report.row(name, rows, stated, measured, found.ratio, stage, found.seconds)


if __name__ == "__main__":
    main()
