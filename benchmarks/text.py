"""Cutting and loading, each beside a named peer or the plain way of doing the same.

Corpus: the source files of this Python's standard library, and its docstrings.
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

from shoald.adapters.document_loaders import csv as csv_loader
from shoald.adapters.document_loaders import json as json_loader
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.chunking import chunker
from shoald.domain.chunking.encodings import encoding
from shoald.domain.chunking.sentences import sentence_spans
from shoald.domain.filters import matches, parse_filter

_T = TypeVar("_T")

_MEGABYTES = 10


def main() -> None:
    """Print one line per measured thing."""
    text = "".join(islice(_sources(), 5000))[: _MEGABYTES * 1_000_000]
    _recursive("source files", text)
    _recursive("the same as one line", text.replace("\n", " "))
    _token(text[:3_000_000])
    _other_chunkers(text[:3_000_000])
    docstrings = [item["text"] for found in standard_library_texts().values() for item in found]
    _loading(docstrings)
    _filtering()


def _sources() -> Iterator[str]:
    while True:
        for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
            yield path.read_text(errors="replace")


def _recursive(what: str, text: str) -> None:
    print(f"recursive, {what}: {len(text) / 1e6:.0f} million characters")
    for size, overlap in ((800, 100), (4000, 200)):
        cut = chunker("recursive", {"chunk_size": size, "chunk_overlap": overlap})
        library = RecursiveCharacterTextSplitter(chunk_size=size, chunk_overlap=overlap)
        mine, ours = _timed(lambda cut=cut: [text[start:end] for start, end in cut(text)], 5)  # type: ignore[misc]
        theirs, seconds = _timed(lambda library=library: library.split_text(text), 2)  # type: ignore[misc]
        assert mine == theirs
        _print(f"  size {size}: shoal", len(text) / 1e6 / ours, "MB/s")
        _print(
            f"  size {size}: langchain-text-splitters, the same {len(mine)} chunks", len(text) / 1e6 / seconds, "MB/s"
        )


def _token(text: str) -> None:
    print(f"token, {len(text) / 1e6:.0f} million characters, windows of 500 stepping 450")
    cut = chunker("token", {"chunk_size": 500, "chunk_overlap": 50})
    encoding("cl100k_base")
    _, ours = _timed(lambda: [text[start:end] for start, end in cut(text)], 3)
    _, plain = _timed(lambda: encoding("cl100k_base").encode_ordinary(text), 3)
    _print("  shoal, chunks", len(text) / 1e6 / ours, "MB/s")
    _print("  tiktoken, tokens alone", len(text) / 1e6 / plain, "MB/s")


def _other_chunkers(text: str) -> None:
    print(f"other chunkers, {len(text) / 1e6:.0f} million characters, each beside the plain way")
    plain: dict[str, tuple[dict[str, str], Callable[[], object]]] = {
        "sentence": ({}, lambda: re.split(r"(?<=[.!?])\s+", text)),
        "regex": ({"pattern": r"\n(?=def |class )"}, lambda: re.split(r"\n(?=def |class )", text)),
        "markdown_table": ({}, lambda: [line for line in text.split("\n") if "|" in line]),
    }
    for name, (params, way) in plain.items():
        cut = chunker(name, params)
        _, ours = _timed(lambda cut=cut: [text[start:end] for start, end in cut(text)], 3)  # type: ignore[misc]
        _, seconds = _timed(way, 3)
        _print(f"  {name}: shoal", len(text) / 1e6 / ours, "MB/s")
        _print(f"  {name}: split by `re`, or a look at each line", len(text) / 1e6 / seconds, "MB/s")
    _semantic(text[:300_000])


def _semantic(text: str) -> None:
    embedder = MockEmbedder()
    cut = chunker("semantic", {"window_size": 0}, find_embedding=lambda _provider, _model: embedder.embed_passages)
    sentences = [text[start:end] for start, end in sentence_spans(text)]
    _, ours = _timed(lambda: list(cut(text)), 2)
    _, seconds = _timed(lambda: embedder.embed_passages(sentences), 2)
    _print("  semantic, mock vectors: shoal", len(text) / 1e6 / ours, "MB/s")
    _print("  semantic: the vectors of the sentences alone", len(text) / 1e6 / seconds, "MB/s")


def _loading(docstrings: list[str]) -> None:
    print("loaders")
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
        _print("  a small file in a child of its own", seconds * 1000 / 20, "ms")
        for path, kind, parse in ((large, "json", json_loader.load), (table, "csv", csv_loader.load)):
            size = path.stat().st_size / 1e6
            _, seconds = _timed(lambda path=path, kind=kind: _load(loader, path, kind))  # type: ignore[misc]
            _print(f"  {kind}, {size:.0f} MB, in a child", size / seconds, "MB/s")
            with path.open("rb") as file:
                _, seconds = _timed(lambda file=file, parse=parse: sum(1 for _ in parse(file, source="x", params={})))  # type: ignore[misc]
            _print(f"  {kind}, {size:.0f} MB, here", size / seconds, "MB/s")


def _load(loader: ParserChildLoader, path: Path, kind: str) -> int:
    return sum(1 for _ in loader.load(str(path), filename=path.name, loader_type=kind, loader_params={}))


def _filtering() -> None:
    condition = parse_filter({"AND": [{"status": "active"}, {"NOT": {"field": "age", "operator": "lt", "value": 50}}]})
    assert condition is not None
    documents = [{"status": "Active" if n % 3 else "idle", "age": n % 100} for n in range(20_000)]
    _, seconds = _timed(lambda: sum(matches(condition, document) for document in documents))
    _print("filters in memory, two conditions", len(documents) / seconds, "documents/s")


def _timed(work: Callable[[], _T], times: int = 1) -> tuple[_T, float]:
    """Return what the work gives and its best time in seconds."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    return result, best


def _print(what: str, value: float, unit: str) -> None:
    print(f"{what:<78}{value:>10,.1f} {unit}", flush=True)


if __name__ == "__main__":
    main()
