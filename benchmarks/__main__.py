"""Runs the benchmarks one after another: `python -m benchmarks [name …]`; `--gpu` takes those for a CUDA device.

Further options go to the benchmark that is named, each of which lists its own with `--help`.
"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time

import benchmarks


def main() -> None:
    """Run the named benchmarks, or all of the wanted kind; each prints its table and writes it to `results`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--gpu", action="store_true")
    arguments, others = parser.parse_known_args()
    if others and len(arguments.names) != 1:
        parser.error(f"{' '.join(others)} needs one benchmark by name")
    available = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_")]
    wanted = arguments.names or [name for name in available if name.startswith("gpu_") == arguments.gpu]
    for name in wanted:
        print(f"## {name}", flush=True)
        sys.argv[1:] = others
        began = time.perf_counter()
        importlib.import_module(f"benchmarks.{name}").main()
        print(f"({time.perf_counter() - began:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
