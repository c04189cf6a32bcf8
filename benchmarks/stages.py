"""Seconds for a thousand chunks from an uploaded file to the first passage, stage by stage, with the local model.

Peer: the same model over the same chunks in this process, without a server, a database or an index. The texts are the
documentation of the standard library, in one JSON file; every stage is one documented call that waits for its end.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._clustering import Report
from benchmarks._installation import Client, installation
from shoald.adapters.embedders.local import LocalEmbedder
from shoald.cli.demo_corpus import standard_library_texts

_TEXTS = 4_000


def main() -> None:
    """Measure, print, and write `benchmarks/results/stages.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=_TEXTS)
    texts = [item["text"] for found in standard_library_texts().values() for item in found]
    texts = texts[: parser.parse_known_args()[0].texts]
    with installation() as address:
        seconds, chunks = _through(Client(address), texts)
    alone, processor = _alone(chunks)
    thousands = len(chunks) / 1000
    report = Report("stages", "Ingestion by stage")
    report.say(f"{len(texts)} texts, {len(chunks)} chunks, FAISS")
    report.head("stage", "seconds", "per thousand chunks")
    peer = {f"peer: the model alone ({processor:.1f} s of processor)": alone}
    for stage, took in {**seconds, "together": sum(seconds.values()), **peer}.items():
        report.row(stage, took, took / thousands)


def _through(client: Client, texts: list[str]) -> tuple[dict[str, float], list[str]]:
    """Return the seconds of each stage, and the chunks."""
    seconds: dict[str, float] = {}
    project = client.post("/projects", {"name": "stages"})["project_id"]
    config = {"provider": "faiss", "config": {"embedding_provider": "local"}}
    index = client.post(f"/projects/{project}/indexes", {"name": "stages", **config})["index_id"]
    with _timed(seconds, "upload"):
        version = client.upload(project, "texts.json", json.dumps(texts).encode())
    with _timed(seconds, "segment"):
        segments = client.post(f"/document_versions/{version}/segments", {"loader_type": "json"})["segment_set"]
    with _timed(seconds, "chunk"):
        made = client.post(f"/segment_sets/{segments['segment_set_version_id']}/chunk")
    chunk_set: dict[str, Any] = made["chunk_set"]
    with _timed(seconds, "embed and build"):
        build = {"chunk_set_version_id": chunk_set["chunk_set_version_id"]}
        build_id = client.post(f"/indexes/{index}/builds", build)["build"]["build_id"]
    query = {"query": "read an archive", "strategy": {"type": "vector", "k": 3}}
    with _timed(seconds, "first passages"):
        client.post(f"/projects/{project}/retrieve", {**query, "target": "index_build", "target_id": build_id})
    return seconds, [item["content"] for item in made["items"]]


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - began


def _alone(chunks: list[str]) -> tuple[float, float]:
    """Return the seconds, and the seconds of processor, that the model alone takes for the chunks."""
    embedder = LocalEmbedder()
    embedder.embed_query("loads the model")
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    embedder.embed_passages(chunks)
    now = resource.getrusage(resource.RUSAGE_SELF)
    return time.perf_counter() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


if __name__ == "__main__":
    main()
