"""What whole runs state of their memory before they start, and what they then take, in processes of their own.

`SHOAL_BENCH=small` takes 1,000 and 2,000 rows; else 1,000 to 20,000. Options: `--method`, `--rows`, `--width`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._clustering import Report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.memory_cases import (
    BESIDE,
    GIVEN,
    MIB,
    STEPS,
    MemoryCase,
    MemoryOutcome,
    case_of_groups,
    file_of_groups,
    measured_case,
    measured_cases,
)

SMALL = os.environ.get("SHOAL_BENCH") == "small"
SIZES = (1000, 2000) if SMALL else (1000, 2000, 5000, 10_000, 20_000)
BESIDE_ROWS = 2000 if SMALL else 10_000


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--method", nargs="*", default=sorted(GIVEN))
    parser.add_argument("--rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--width", type=int, default=384)
    asked = parser.parse_args()
    report = Report("clustering_memory", "The memory that runs state and take")
    report.say(
        f"Whole runs over unit rows of {asked.width} dimensions in 40 planted groups, with a map and the quick "
        "stability. MiB of private memory beside what the process held before; stated before anything is computed."
    )
    report.head("run", "rows", "stated", "measured", "stated / measured", "largest stage as measured", "cpu s")
    with tempfile.TemporaryDirectory() as folder:
        for method in asked.method:
            cases = [case_of_groups(Path(folder), method, rows, asked.width) for rows in asked.rows]
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
        _row(report, f"kmeans, {name}", rows, case_of_groups(folder, "kmeans", rows, width, asked=beside))
    given: dict[str, Any] = {"clustering_method": "kmeans", "algorithm_params": GIVEN["kmeans"]}
    apart = {**given, "feature_uris": ["a", "b"], "multi_feature_strategy": "independent"}
    files = {name: str(file_of_groups(folder, rows, 40, d)) for name, d in (("a", 64), ("b", 128))}
    half = {"after": {}, "after_rows": rows // 2, "changes": {"mode": "assign"}}
    _row(report, "assign half of them", rows, case_of_groups(folder, "kmeans", rows, width, **half))
    _row(
        report, "repeat", rows, case_of_groups(folder, "kmeans", rows, width, after={}, changes={"replay_of": "run_0"})
    )
    sweep = [{"min_cluster_size": size} for size in (5, 10, 20)]
    _row(report, "sweep of three hdbscan", rows, case_of_groups(folder, "hdbscan", rows, width, settings=sweep))
    _row(report, "two features apart", rows, MemoryCase(files=files, rows=rows, asked=apart))
    joined = {**apart, "multi_feature_strategy": "concatenate"}
    _row(report, "two features joined", rows, MemoryCase(files=files, rows=rows, asked=joined))
    body = {"cluster_type": "attribute", "attribute_config": {"attributes": ["kind"]}}
    _row(report, "attributes", rows, MemoryCase(files=files, rows=rows, asked={}, body=body))


def _row(report: Report, name: str, rows: int, case: MemoryCase) -> None:
    _told(report, name, rows, measured_case(case))


def _told(report: Report, name: str, rows: int, found: MemoryOutcome) -> None:
    stage = max(found.stages, key=lambda one: found.stages[one], default="-")
    stated, measured = (found.stated or 0) / MIB, found.measured / MIB
    report.row(name, rows, stated, measured, found.ratio, stage, found.seconds)


if __name__ == "__main__":
    main()
