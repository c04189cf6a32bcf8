"""Cutting and loading, each beside a named peer or the plain way of doing the same.

Corpus: the source files of this Python's standard library, and its docstrings. Cutting is measured in processor time,
what passes through a child in wall time; each figure is the best of a few.
"""

from __future__ import annotations

import json
import re
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from langchain_text_splitters import RecursiveCharacterTextSplitter

from benchmarks._clustering import Report
from shoald.adapters.document_loaders import csv as csv_loader
from shoald.adapters.document_loaders import json as json_loader
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.chunking import chunker
from shoald.domain.chunking.encodings import encoding
from shoald.domain.chunking.sentences import sentence_spans
from shoald.domain.chunking.spans import Chunker
from shoald.domain.filters import matches, parse_filter

_T = TypeVar("_T")

_MEGABYTES = 10
_PART, _SMALL_PART = 3_000_000, 300_000  # of the text, in characters, for chunkers that take longer


def main() -> None:
    """Measure, print, and write `benchmarks/results/text.md`."""
    text = "".join(islice(_sources(), 5000))[: _MEGABYTES * 1_000_000]
    part = text[:_PART]
    report = Report("text", "Cutting and loading texts")
    report.say("Millions of characters a second of processor time; wanted of `recursive` is a ratio of 3.")
    report.head("chunker", "text", "Shoal", "peer", "its pace", "ratio")
    _recursive("source files", text, report)
    _recursive("the same as one line", text.replace("\n", " "), report)
    docstrings = [item["text"] for found in standard_library_texts().values() for item in found]
    _recursive("docstrings", ("\n\n".join(docstrings) * 10)[: _MEGABYTES * 1_000_000], report)
    _token(part, report)
    _other_chunkers(part, report)
    _semantic(part[:_SMALL_PART], report)
    report.head("what", "figure")
    _loading(docstrings, report)
    _filtering(report)


def _sources() -> Iterator[str]:
    while True:
        for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
            yield path.read_text(errors="replace")


def _row(report: Report, names: tuple[str, str, str], text: str, ours: float, theirs: float) -> None:
    what, corpus, peer = names
    millions = len(text) / 1e6
    report.row(what, f"{corpus}, {millions:.1f} M", millions / ours, peer, millions / theirs, f"{theirs / ours:.2f}")


def _recursive(corpus: str, text: str, report: Report) -> None:
    for size, overlap in ((800, 100), (4000, 200)):
        cut = chunker("recursive", {"chunk_size": size, "chunk_overlap": overlap})
        library = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=overlap)
        mine, ours = _computed(lambda cut=cut: _cut(cut, text), 5)  # type: ignore[misc]
        theirs, seconds = _computed(lambda library=library: library.split_text(text), 2)  # type: ignore[misc]
        assert mine == theirs
        peer = f"langchain-text-splitters, the same {len(mine):,} chunks"
        _row(report, (f"recursive, {size} / {overlap}", corpus, peer), text, ours, seconds)


def _cut(cut: Chunker, text: str) -> list[str]:
    return [text[start:end] for start, end in cut(text)]


def _token(text: str, report: Report) -> None:
    cut = chunker("token", {"chunk_size": 500, "chunk_overlap": 50})
    encoding("cl100k_base")
    _, ours = _computed(lambda: _cut(cut, text), 3)
    _, plain = _computed(lambda: encoding("cl100k_base").encode_ordinary(text), 3)
    _row(report, ("token, 500 / 50", "source files", "tiktoken, tokens alone"), text, ours, plain)


def _other_chunkers(text: str, report: Report) -> None:
    plain: dict[str, tuple[dict[str, str], str, Callable[[], object]]] = {
        "sentence": ({}, "split by `re`", lambda: re.split(r"(?<=[.!?])\s+", text)),
        "regex": ({"pattern": r"\n(?=def |class )"}, "split by `re`", lambda: re.split(r"\n(?=def |class )", text)),
        "markdown_table": ({}, "a look at each line", lambda: [line for line in text.split("\n") if "|" in line]),
    }
    for name, (params, peer, way) in plain.items():
        cut = chunker(name, params)
        _, ours = _computed(lambda cut=cut: _cut(cut, text), 3)  # type: ignore[misc]
        _, seconds = _computed(way, 3)
        _row(report, (name, "source files", peer), text, ours, seconds)


def _semantic(text: str, report: Report) -> None:
    embedder = MockEmbedder()
    cut = chunker("semantic", {"window_size": 0}, find_embedding=lambda _provider, _model: embedder.embed_passages)
    sentences = [text[start:end] for start, end in sentence_spans(text)]
    _, ours = _computed(lambda: list(cut(text)), 2)
    _, seconds = _computed(lambda: embedder.embed_passages(sentences), 2)
    _row(report, ("semantic, mock vectors", "source files", "the vectors of the sentences alone"), text, ours, seconds)


def _loading(docstrings: list[str], report: Report) -> None:
    where = "shoald.adapters.document_loaders"
    loader = ParserChildLoader(
        parsers={"json": Parser(function=f"{where}.json:load"), "csv": Parser(function=f"{where}.csv:load")}
    )
    with tempfile.TemporaryDirectory() as folder:
        small, large, table = (Path(folder) / name for name in ("small.json", "large.json", "large.csv"))
        small.write_text(json.dumps(docstrings[:20]))
        large.write_text(json.dumps([{"text": text} for text in docstrings * 40]))
        table.write_text("name,text\n" + "".join(f'"{n}","{text[:80]}"\n' for n, text in enumerate(docstrings * 20)))
        _, seconds = _timed(lambda: [_load(loader, small, "json") for _ in range(20)])
        report.figure("a small file in a child of its own", seconds * 1000 / 20, "ms")
        for path, kind, parse in ((large, "json", json_loader.load), (table, "csv", csv_loader.load)):
            size = path.stat().st_size / 1e6
            _, seconds = _timed(lambda path=path, kind=kind: _load(loader, path, kind))  # type: ignore[misc]
            report.figure(f"{kind}, {size:.0f} MB, in a child", size / seconds, "MB/s")
            with path.open("rb") as file:
                _, seconds = _timed(lambda file=file, parse=parse: sum(1 for _ in parse(file, source="x", params={})))  # type: ignore[misc]
            report.figure(f"{kind}, {size:.0f} MB, here", size / seconds, "MB/s")


def _load(loader: ParserChildLoader, path: Path, kind: str) -> int:
    return sum(1 for _ in loader.load(str(path), filename=path.name, loader_type=kind, loader_params={}))


def _filtering(report: Report) -> None:
    condition = parse_filter({"AND": [{"status": "active"}, {"NOT": {"field": "age", "operator": "lt", "value": 50}}]})
    assert condition is not None
    documents = [{"status": "Active" if n % 3 else "idle", "age": n % 100} for n in range(20_000)]
    _, seconds = _timed(lambda: sum(matches(condition, document) for document in documents))
    report.figure("filters in memory, two conditions", len(documents) / seconds, "documents/s")


def _timed(work: Callable[[], _T], times: int = 1) -> tuple[_T, float]:
    """Return what the work gives and its best time in seconds."""
    return _best(work, times, time.perf_counter)


def _computed(work: Callable[[], _T], times: int) -> tuple[_T, float]:
    """Return what the work gives and its least processor time in seconds."""
    return _best(work, times, time.process_time)


def _best(work: Callable[[], _T], times: int, clock: Callable[[], float]) -> tuple[_T, float]:
    best = float("inf")
    for _ in range(times):
        began = clock()
        result = work()
        best = min(best, clock() - began)
    return result, best


if __name__ == "__main__":
    main()
