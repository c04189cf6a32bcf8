"""Compiles what Shoal's processes import, once, in `make setup`.

uv installs sources alone, where pip compiles them too: every process of a first start would compile its two thousand
modules by itself, several at once the same ones, and at each start again where `PYTHONDONTWRITEBYTECODE` is set.
Run-time dependencies and Shoal itself are compiled, without their tests: a third of what is installed.
"""

from __future__ import annotations

import compileall
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import metadata
from pathlib import Path

from tools.licences import ROOT, closure

_OWN = ("src", "gen/python", "clients/python")
_TESTS = frozenset({"test", "tests", "testing"})
_FILES_A_TASK = 100


def sources(roots: Sequence[Path], packages: Sequence[str]) -> Iterator[Path]:
    """Yield the modules below the folders, and those of the packages that are installed; no tests."""
    for root in roots:
        yield from root.rglob("*.py")
    for name in packages:
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:  # an extra that is not for this machine
            continue
        yield from (
            Path(str(file.locate())) for file in files if file.suffix == ".py" and _TESTS.isdisjoint(file.parts)
        )


def compile_files(files: Sequence[Path]) -> None:
    """Compile the files whose bytecode is not there yet; a template that is no Python is left as it is."""
    for file in files:
        compileall.compile_file(file, quiet=2)


def main() -> int:
    """Compile everything, on all cores."""
    files = list(sources([ROOT / folder for folder in _OWN], sorted(closure())))
    tasks = [files[start : start + _FILES_A_TASK] for start in range(0, len(files), _FILES_A_TASK)]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for _ in pool.map(compile_files, tasks):
            pass  # an error comes out here
    return 0


if __name__ == "__main__":
    sys.exit(main())
