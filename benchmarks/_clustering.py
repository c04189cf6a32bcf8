"""What the clustering benchmarks share: vectors, and a measured call in a fresh process."""

from __future__ import annotations

import ast
import itertools
import multiprocessing
import os
import shlex
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
_CACHE = Path(tempfile.gettempdir()) / "shoal-benchmark-vectors"


@dataclass(frozen=True)
class Measured:
    """What a call gave and cost: wall and processor seconds, and how far the process's peak memory rose, in MiB."""

    value: Any
    wall: float
    cpu: float
    memory: float


def text_vectors() -> Path:
    """Return the file of the demo's vectors: the standard library's documentation by the bundled MiniLM."""
    file = _CACHE / "stdlib.npy"
    if not file.exists():
        from shoald.adapters.embedders.local import LocalEmbedder
        from shoald.cli.demo_corpus import standard_library_texts

        texts = [f"{t['name']}: {t['text']}" for module in standard_library_texts().values() for t in module]
        _save(file, LocalEmbedder(threads=2).embed_passages(texts))
    return file


def package_vectors(n: int = 10_000) -> Path:
    """Return the file of the first n paragraphs of the installed packages' documentation by the bundled MiniLM."""
    file = _CACHE / f"packages-{n}.npy"
    if not file.exists():
        from shoald.adapters.embedders.local import LocalEmbedder

        texts = list(itertools.islice(package_paragraphs(), n))
        _save(file, np.asarray(LocalEmbedder(threads=2).embed_passages(texts), dtype=np.float32))
    return file


def package_paragraphs() -> Iterator[str]:
    """Yield the paragraphs of 30 to 600 characters of docstrings, each once, module after module by name."""
    seen: set[str] = set()
    for module in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        try:
            nodes = list(ast.walk(ast.parse(module.read_text(errors="replace"))))
        except (SyntaxError, ValueError):
            continue
        documented = (node for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef))
        for text in filter(None, map(ast.get_docstring, documented)):
            for paragraph in (" ".join(part.split()) for part in text.split("\n\n")):
                if 30 < len(paragraph) < 600 and paragraph not in seen:
                    seen.add(paragraph)
                    yield paragraph


def planted_vectors(n: int, groups: int, d: int = 384) -> Path:
    """Return the file of n unit rows in so many separated groups with a tenth of noise; their labels lie beside it."""
    file = _CACHE / f"planted-{n}-{groups}-{d}.npy"
    if not file.exists():
        random = np.random.default_rng(0)
        centres = random.normal(size=(groups, d)) / np.sqrt(d)
        labels = random.integers(0, groups, n)
        flat = random.normal(size=(groups, 16, d)) / np.sqrt(d)
        rows, places = centres[labels], random.normal(size=(n, 16))
        for group in range(groups):
            rows[labels == group] += 0.7 * (places[labels == group] @ flat[group]) / 4
        noise = random.random(n) < 0.1
        rows[noise] = random.normal(size=(int(noise.sum()), d)) / np.sqrt(d)
        _save(file.with_suffix(".labels.npy"), np.where(noise, -1, labels))
        _save(file, (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))
    return file


def random_vectors(n: int, d: int) -> Path:
    """Return the file of n rows without any groups: for what costs the same whatever the rows are."""
    file = _CACHE / f"random-{n}-{d}.npy"
    if not file.exists():
        _save(file, np.random.default_rng(0).standard_normal((n, d), dtype=np.float32))
    return file


def _save(file: Path, values: npt.NDArray[Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    np.save(file, values)


def measured(
    work: Callable[..., Any], file: Path, *, rows: int | None = None, warm: int = 1, warm_rows: int = 300, **given: Any
) -> Measured:
    """Call `work(vectors, **given)` in a fresh process: `warm` times on up to `warm_rows` rows, then once, measured."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_in_child, (work, str(file), rows, (warm, warm_rows), given))


def _in_child(
    work: Callable[..., Any], file: str, rows: int | None, warm: tuple[int, int], given: dict[str, Any]
) -> Measured:
    vectors = np.ascontiguousarray(np.load(file)[:rows])
    for _ in range(warm[0]):
        work(vectors[: warm[1]], **given)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    value = work(vectors, **given)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Measured(value, wall, cpu, (_status("VmHWM") - before) / 1024)


def _status(name: str) -> int:
    """Return a line of this process's status in KiB; the kernel forgets the highest so far when it is told to."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


class Report:
    """Prints lines and writes them to `benchmarks/results/NAME.md`; those of `--PART` alone to `NAME_PART.md`."""

    def __init__(self, name: str, title: str, part: str | None = None) -> None:
        self._file = Path("benchmarks/results") / (f"{name}_{part}.md" if part else f"{name}.md")
        command = shlex.join(["python", "-m", "benchmarks", name, *sys.argv[1:]])
        self._lines: list[str] = []
        load = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start"
        self.say(f"# {title}\n\nCommand: `{command}` ({load})\n")

    def say(self, line: str) -> None:
        """Print a line, keep it, and write what there is so far."""
        print(line, flush=True)
        self._lines.append(line)
        self._file.parent.mkdir(exist_ok=True)
        self._file.write_text("\n".join(self._lines) + "\n")

    def head(self, *columns: str) -> None:
        """Begin a table."""
        self.say("\n| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))

    def row(self, *cells: Any) -> None:
        """Add a row; numbers get three digits that matter, large ones are whole."""
        self.say("| " + " | ".join(_shown(cell) for cell in cells) + " |")

    def figure(self, what: str, value: float, unit: str) -> None:
        """Add a row of one number with its unit."""
        self.row(what, f"{_shown(value)} {unit}")


def _shown(cell: Any) -> str:
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if cell >= 1000 else f"{cell:.3g}"
