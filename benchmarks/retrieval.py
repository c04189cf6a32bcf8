"""Every retrieval strategy over HTTP, by the number of chunks, beside the libraries asked directly in this process.

The table has the shape of the one that the reference was measured with (one client, loopback): milliseconds. Each
strategy is asked by itself: the figure is the median of several different questions after a first, so that no answer
comes from the result cache. A build is the median of three, each of an index of its own; the first stands beside it.
Peers: the splitter of langchain-text-splitters, rank_bm25, Python's `re`, rapidfuzz, a flat FAISS index.

`python -m benchmarks retrieval` takes 1,000 and 10,000 chunks. `python -m benchmarks.retrieval` takes options, too:
`--chunks 1000 10000 50000` is the reference's table, `--load 100000 1000000` measures p50, p99 and questions a second
by strategy over that many chunks, after one build, of those that `--strategies` names if it names any. `--map 100000`
measures, over that many chunks and nothing else, questions that regard the groups of a run beside those that do not,
and writes `benchmarks/results/retrieval_map.md`.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from langchain_text_splitters import RecursiveCharacterTextSplitter
from rank_bm25 import BM25Okapi
from rapidfuzz import fuzz

from benchmarks import _retrieval_map as retrieval_map
from benchmarks._installation import Client, installation
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.retrieval.bm25 import words_of

_SMALL = (1_000, 10_000)
_CHARACTERS = 280
_REPEATS = 31
_BUILDS = 3
_CONNECTIONS = 4

Say = Callable[[str], None]


def main() -> None:
    """Measure, print and write `benchmarks/results/retrieval.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, nargs="*", default=_SMALL)
    parser.add_argument("--load", type=int, nargs="*", default=())
    parser.add_argument("--map", type=int, default=None, help="chunks to ask with and without a map")
    parser.add_argument("--strategies", nargs="*", default=tuple(_strategies("a b c")), help="which are loaded")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each strategy is loaded")
    arguments = parser.parse_known_args()[0]
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    if arguments.map is not None:
        say(f"{arguments.map:,} chunks. {retrieval_map.__doc__.partition(chr(10) * 2)[2]}")
        with installation() as address:
            _with_map(address, _Corpus(Client(address), arguments.map, builds=1), say)
        _write("retrieval_map", "Retrieval over a map", lines)
        return
    say("One client on loopback, the client on the same cores; milliseconds, medians of different questions.\n")
    with installation() as address:
        client = Client(address)
        _table(client, arguments.chunks, say)
        for size in arguments.load:
            _load(address, _Corpus(client, size, builds=1), arguments.strategies, arguments.seconds, say)
    _write("retrieval", "Retrieval", lines)


def _write(name: str, title: str, lines: Sequence[str]) -> None:
    folder = Path("benchmarks/results")
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.md").write_text(f"# {title}\n\n" + "\n".join(lines) + "\n")


def _with_map(address: str, corpus: _Corpus, say: Say) -> None:
    """Ask one corpus with and without a map: word searches over the set, the others over the build."""
    run_id = retrieval_map.run_map(address, corpus.client, corpus.index)
    both = [{"type": "bm25"}, {"type": "vector"}]
    strategies = {name: _strategies("a b c")[name] for name in ("bm25", "vector", "ensemble")}
    strategies["ensemble of bm25 and vector"] = {"type": "ensemble", "sources": both}

    def ask(question: str, strategy: dict[str, Any], more: dict[str, Any]) -> Any:
        return corpus.retrieve(corpus.client, question, strategy, **more)

    retrieval_map.compare(ask, run_id, strategies, _questions(corpus.texts, 3), say)


class _Corpus:
    """A project with one chunk set of `size` chunks and a build over it."""

    def __init__(self, client: Client, size: int, builds: int = _BUILDS) -> None:
        self.size, self.texts = size, _texts(size)
        self.client = client
        self.times: dict[str, float] = {}
        self.project = client.post("/projects", {"name": f"{size} chunks"})["project_id"]
        version = client.upload(self.project, "texts.json", json.dumps(self.texts).encode())
        loaded = client.raw("POST", f"/document_versions/{version}/segments", b'{"loader_type": "json"}')
        segments = _id_in(loaded, "segment_set_version_id")
        how = json.dumps({"chunker_params": {"chunk_size": 2000, "chunk_overlap": 0}}).encode()
        answer = self._timed("create", lambda: client.raw("POST", f"/segment_sets/{segments}/chunk", how))
        self.chunk_set = _id_in(answer, "chunk_set_version_id")
        self._timed("read", lambda: client.raw("GET", f"/chunk_sets/{self.chunk_set}"))
        built = [self._built() for _ in range(builds)]
        self.times["first build"], self.times["build"] = built[0], statistics.median(built)

    def _built(self) -> float:
        new = {"name": "main", "provider": "faiss"}
        self.index: str = self.client.post(f"/projects/{self.project}/indexes", new)["index_id"]
        wanted = {"chunk_set_version_id": self.chunk_set}
        built = self._timed("build", lambda: self.client.post(f"/indexes/{self.index}/builds", wanted))
        self.build: str = built["build"]["build_id"]
        return self.times["build"]

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        self.times[name] = 1000 * (time.perf_counter() - began)
        return result

    def retrieve(self, client: Client, question: str, strategy: dict[str, Any], **more: Any) -> Any:
        """Ask once."""
        body: dict[str, Any] = {"query": question, "strategy": strategy, **more}
        if strategy["type"] == "vector" or {"type": "vector"} in strategy.get("sources", ()):
            body |= {"target": "index_build", "target_id": self.build}
        return client.post(f"/projects/{self.project}/retrieve", body)


def _id_in(answer: bytes, name: str) -> str:
    """Return an id from the head of an answer, which may be too long to be read as JSON."""
    found = re.search(rf'"{name}":\s*"([^"]+)"'.encode(), answer[:2000])
    assert found is not None
    return found[1].decode()


def _texts(size: int) -> list[str]:
    """Return texts of about 280 characters, made of docstrings of the standard library, all different."""
    sentences = [item["text"] for found in standard_library_texts().values() for item in found]
    words = " ".join(sentences).split()
    rng = random.Random(1)
    width = _CHARACTERS // 7

    def text(number: int) -> str:
        start = rng.randrange(len(words) - width)
        return f"{number} " + " ".join(words[start : start + width])

    return [text(number) for number in range(size)]


def _questions(texts: Sequence[str], seed: int) -> Iterator[str]:
    """Yield different questions of three words that stand together in some text."""
    rng = random.Random(seed)
    while True:
        words = rng.choice(texts).split()
        start = rng.randrange(1, len(words) - 3)
        yield " ".join(words[start : start + 3])


def _strategies(question: str) -> dict[str, dict[str, Any]]:
    first = re.escape(question.split(maxsplit=1)[0])
    return {
        "bm25": {"type": "bm25"},
        "regex": {"type": "regex", "pattern": rf"{first}\s+\w+ing\b"},
        "fuzzy": {"type": "fuzzy"},
        "ensemble": {"type": "ensemble"},
        "vector": {"type": "vector"},
    }


def _table(client: Client, sizes: Sequence[int], say: Say) -> None:
    columns = ("create", "read", "first build", "build", "bm25", "regex", "fuzzy", "ensemble", "vector")
    say("| chunks | who | " + " | ".join(columns) + " | first question |")
    say("|---|---|" + "---|" * (len(columns) + 1))
    for size in sizes:
        corpus = _Corpus(client, size)
        began = time.perf_counter()
        corpus.retrieve(client, "first of all", {"type": "bm25"})
        first = 1000 * (time.perf_counter() - began)
        ours = corpus.times | _asked(partial(corpus.retrieve, client), corpus.texts)
        _row(size, "Shoal, over HTTP", ours, columns, f"{first:.0f}", say)
        _row(size, "the libraries, called directly", _libraries(corpus.texts), columns, "", say)
    say("")


def _row(size: int, who: str, times: dict[str, float], columns: Sequence[str], first: str, say: Say) -> None:
    shown = " | ".join(f"{times[name]:.1f}" if name in times else "" for name in columns)
    say(f"| {size:,} | {who} | {shown} | {first} |")


def _asked(ask: Callable[[str, dict[str, Any]], object], texts: Sequence[str]) -> dict[str, float]:
    questions = _questions(texts, 2)
    return {name: _median(ask, name, questions) for name in _strategies("a b c")}


def _median(ask: Callable[[str, dict[str, Any]], object], name: str, questions: Iterator[str]) -> float:
    times: list[float] = []
    for _ in range(1 + _REPEATS):
        strategy, question = _strategies(next(questions))[name], next(questions)
        began = time.perf_counter()
        ask(question, strategy)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def _libraries(texts: list[str]) -> dict[str, float]:
    """Return what the same costs without a service: everything in memory, indexes made beforehand."""
    began = time.perf_counter()
    splitter = RecursiveCharacterTextSplitter(chunk_size=2000, chunk_overlap=0)
    chunks = [chunk for text in texts for chunk in splitter.split_text(text)]
    created = 1000 * (time.perf_counter() - began)
    embedder = MockEmbedder()
    began = time.perf_counter()
    vectors = np.concatenate([embedder.embed_passages(chunks[at : at + 512]) for at in range(0, len(chunks), 512)])
    flat = _flat_index(vectors)
    built = 1000 * (time.perf_counter() - began)
    okapi = BM25Okapi([words_of(chunk) for chunk in chunks])

    def ask(question: str, strategy: dict[str, Any]) -> object:
        match strategy["type"]:
            case "bm25":
                return np.argsort(okapi.get_scores(words_of(question)))[::-1][:10]
            case "regex":
                pattern = re.compile(strategy["pattern"], re.IGNORECASE)
                return [at for at, chunk in enumerate(chunks) if pattern.search(chunk)]
            case "fuzzy":
                return [at for at, chunk in enumerate(chunks) if fuzz.partial_ratio(question, chunk) >= 80]
            case "vector":
                return flat.search(embedder.embed_query(question)[None, :], 10)
        return None

    asked = _asked(ask, chunks)
    del asked["ensemble"]
    return {"create": created, "build": built, **asked}


def _flat_index(vectors: Any) -> Any:
    import faiss

    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


def _load(address: str, corpus: _Corpus, strategies: Sequence[str], seconds: float, say: Say) -> None:
    say(f"## {corpus.size:,} chunks under load: {_CONNECTIONS} connections, {seconds:.0f} s each\n")
    made = ", ".join(f"{name} {value / 1000:.1f} s" for name, value in corpus.times.items())
    say(f"{made}\n\n| strategy | p50 ms | p99 ms | questions/s |\n|---|---|---|---|")
    for name in strategies:
        corpus.retrieve(Client(address), "warm up first", _strategies("warm up first")[name])
        times = _loaded(address, corpus, name, seconds)
        p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
        say(f"| {name} | {p50:.1f} | {p99:.1f} | {len(times) / seconds:.1f} |")
    say("")


def _loaded(address: str, corpus: _Corpus, name: str, seconds: float) -> list[float]:
    times: list[float] = []
    seeds = count(10)

    def drive() -> None:
        client, questions = Client(address), _questions(corpus.texts, next(seeds))
        until = time.perf_counter() + seconds
        while (began := time.perf_counter()) < until:
            question = next(questions)
            corpus.retrieve(client, question, _strategies(question)[name])
            times.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=drive) for _ in range(_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times)


if __name__ == "__main__":
    main()
