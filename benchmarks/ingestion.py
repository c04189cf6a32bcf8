"""Many small files by one command, beside what one core needs for the same work without a server.

The peer reads each file, hashes it, takes it apart with the same loader, cuts the texts and embeds the chunks, one
after another in this process: no network, no database, no child process. `python -m benchmarks ingestion` takes 500
files, `python -m benchmarks ingestion --full` 10,000.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._clustering import Report
from benchmarks._installation import installation
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.cli.demo_corpus import standard_library_texts
from shoald.cli.local_files import LocalFile, files_in
from shoald.domain.chunking import chunker

_SMALL, _FULL = 500, 10_000
_LOADERS = "shoald.adapters.document_loaders"
_EMBEDDED_TOGETHER = 1_000


def main() -> None:
    """Measure, print, and write `benchmarks/results/ingestion.md`, or with `--full` `ingestion_full.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--files", type=int, help="how many, instead of either number")
    arguments = parser.parse_known_args()[0]
    report = Report("ingestion", "Many small files by one command", "full" if arguments.full else None)
    with tempfile.TemporaryDirectory(prefix="shoal-files-") as folder:
        files = _files(Path(folder), arguments.files or (_FULL if arguments.full else _SMALL))
        _compare(Path(folder), files, report)


def _compare(folder: Path, files: list[LocalFile], report: Report) -> None:
    megabytes = sum(file.size for file in files) / 1e6

    def row(what: str, seconds: float) -> None:
        report.row(what, f"{seconds:.1f}", f"{len(files) / seconds:,.0f}", f"{megabytes / seconds:.2f}")

    report.say(f"{len(files):,} files of text, Markdown, JSON and CSV, {megabytes:.1f} MB, mock vectors, FAISS.")
    report.head("what", "seconds", "files/s", "MB/s")
    row("one core, no server", _on_one_core(files))
    with installation() as address:
        row("shoal ingest", _ingested(folder, address))
        row("shoal ingest, once more", _ingested(folder, address))


def _files(folder: Path, count: int) -> list[LocalFile]:
    rng = random.Random(1)
    docstrings = [item["text"] for found in standard_library_texts().values() for item in found]
    for number in range(count):
        texts = rng.choices(docstrings, k=5)
        below = folder / f"part{number // 1000}"
        below.mkdir(exist_ok=True)
        name, content = (
            (f"n{number}.txt", f"{number}\n\n" + "\n\n".join(texts)),
            (f"n{number}.md", f"# Number {number}\n\n" + "\n\n".join(texts)),
            (f"n{number}.json", json.dumps([number, *texts])),
            (f"n{number}.csv", "id,text\n" + "".join(f'{number},"{text.replace(chr(34), "")}"\n' for text in texts)),
        )[number % 4]
        (below / name).write_text(content)
    return files_in([folder])[0]


def _on_one_core(files: list[LocalFile]) -> float:
    loaders = {name: importlib.import_module(f"{_LOADERS}.{name}").load for name in ("text", "markdown", "json", "csv")}
    cut, embedder = chunker("recursive", {}), MockEmbedder()
    began = time.perf_counter()
    waiting: list[str] = []
    for file in files:
        content = file.path.read_bytes()
        hashlib.sha256(content).hexdigest()
        with file.path.open("rb") as opened:
            for item in loaders[file.loader_type](opened, source=file.path.name, params={}):
                waiting += [item.content[start:end] for start, end in cut(item.content)]
        if len(waiting) >= _EMBEDDED_TOGETHER:
            embedder.embed_passages(waiting)
            waiting = []
    if waiting:
        embedder.embed_passages(waiting)
    return time.perf_counter() - began


def _ingested(folder: Path, address: str) -> float:
    where = ("--project", "files", "--url", f"http://{address}", "--provider", "faiss", "--embedding-provider", "mock")
    command = [sys.executable, "-m", "shoald", "ingest", str(folder), *where]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
