"""What whole runs state of their memory before they start, and what they then take, in processes of their own.

2,000 and 10,000 rows; with `SHOAL_BENCH=small` 1,000 and 2,000; with `--all` 1,000 to 20,000, and 2,000 to 200,000
under a limit of 2 GiB. Other options: `--method`, `--rows`, `--width`.
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
    MemoryCase,
    MemoryOutcome,
    case_of_groups,
    case_under_a_limit,
    cases_of_other_kinds,
    measured_case,
    measured_cases,
)

SMALL = os.environ.get("SHOAL_BENCH") == "small"
SIZES = (1000, 2000) if SMALL else (2000, 10_000)
ALL_SIZES = (1000, 2000, 5000, 10_000, 20_000)
LARGE = (2000, 20_000, 50_000, 100_000, 200_000)
BESIDE_ROWS = 2000 if SMALL else 10_000


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", nargs="*", default=sorted(GIVEN))
    parser.add_argument("--rows", nargs="*", type=int)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--all", action="store_true", help="five sizes, and five under a limit of 2 GiB")
    asked = parser.parse_args()
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
        if asked.all:
            _limited(report, Path(folder), asked.method, asked.width)


def _others(report: Report, folder: Path, width: int) -> None:
    rows = BESIDE_ROWS
    for name, steps in STEPS.items():
        case = case_of_groups(folder, "hdbscan", rows, width, asked={"preprocessing_steps": steps})
        _row(report, f"hdbscan after {name}", rows, case)
    for name, beside in BESIDE.items():
        _row(report, f"kmeans, {name}", rows, case_of_groups(folder, "kmeans", rows, width, **beside))
    for name, case in cases_of_other_kinds(folder, rows, width).items():
        _row(report, name, rows, case)


def _limited(report: Report, folder: Path, methods: Sequence[str], width: int) -> None:
    """Say how each ends where a process may take 2 GiB and is killed above that."""
    report.say(
        f"All rows under a limit of {LIMIT_MIB} MiB a process, {AT_REST_MIB} of which are left to what is no run's; "
        "without stability, and without a map above 20,000 rows."
    )
    report.head("run", "rows", "stated", "measured", "how it ended", "cpu s")
    for method in methods:
        for rows in LARGE:
            found = measured_case(case_under_a_limit(folder, method, rows, width), kill_above=LIMIT_MIB * MIB)
            ended = "killed" if found.was_killed else found.refused or "done"
            stated = (found.stated or 0) / MIB
            report.row(method, rows, stated, found.measured / MIB, ended, found.seconds)


def _row(report: Report, name: str, rows: int, case: MemoryCase) -> None:
    _told(report, name, rows, measured_case(case))


def _told(report: Report, name: str, rows: int, found: MemoryOutcome) -> None:
    stage = max(found.stages, key=lambda one: found.stages[one], default="-")
    stated, measured = (found.stated or 0) / MIB, found.measured / MIB
    report.row(name, rows, stated, measured, found.ratio, stage, found.seconds)


if __name__ == "__main__":
    main()
