"""The demo's main job on the documentation of Python's standard library, from nothing to passages and groups."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from shoald.cli import demo_report
from shoald.cli.ingesting import Recipe, build_index, join_and_chunk
from shoald.cli.job_waiting import completed_task
from shoald.cli.local_files import LocalFile
from shoald.cli.progress import Report, progress
from shoald.cli.rest_client import RestClient, RestError
from shoald.cli.taking_files import take_files

QUESTIONS = (
    "How do I read a compressed archive without unpacking it to disk?",
    "run a function again and again after a delay",
    "compare two sequences of lines and show what changed",
)
PROJECT = "Python standard library"
CLUSTER = "standard_library_topics"
# jq makes one readable text of each entry, so that neither braces nor keys are embedded
LOADER_PARAMS = {"json": {"jq_schema": '.[] | "\\(.name): \\(.text)"'}}
RECIPE = Recipe(
    chunk_strategy="recursive",
    chunker_params={"chunk_size": 1000, "chunk_overlap": 100},
    provider="qdrant",
    index_config={"embedding_provider": "local"},
)
CLUSTER_CONFIG = {
    "clustering_method": "hdbscan",
    "algorithm_params": {"min_cluster_size": 15, "min_samples": 5},
    "preprocessing_steps": [{"method": "umap", "n_components": 10, "n_neighbors": 30, "min_dist": 0.0}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoState:
    """What a finished demo made, kept in the data directory so that the next one starts from it."""

    corpus_sha256: str
    project_id: str
    index_id: str
    build_id: str
    chunk_set_id: str
    collection_id: str
    cluster_id: str
    run_id: str


def run(base_url: str, data: Path, modules: dict[str, list[dict[str, str]]], *, began: float) -> None:
    """Bring the demo to its end on the Shoal at `base_url`, doing what is not done yet, and print what it found.

    `modules` are the texts of each, as `standard_library_texts` returns them.
    """
    corpus = _write_corpus(modules, data / "demo" / "corpus")
    with RestClient(base_url) as client:
        state = _finished_before(client, data, corpus.sha256)
        state = state or _ingest_and_cluster(client, data, corpus, began)
        demo_report.passages(client, state.project_id, state.build_id, QUESTIONS)
        demo_report.groups(client, state.cluster_id, state.run_id)
        demo_report.addresses(base_url, asdict(state), data)


@dataclass(frozen=True, slots=True)
class Corpus:
    """The files on disk and the hash of what they hold."""

    files: tuple[Path, ...]
    sha256: str
    texts: int


def _write_corpus(modules: dict[str, list[dict[str, str]]], folder: Path) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    files = []
    for name, texts in modules.items():
        content = json.dumps(texts, ensure_ascii=False, indent=1).encode()
        digest.update(content)
        file = folder / f"{name}.json"
        file.write_bytes(content)
        files.append(file)
    return Corpus(tuple(files), digest.hexdigest(), sum(map(len, modules.values())))


def _state_file(data: Path) -> Path:
    return data / "demo" / "state.json"


def _finished_before(client: RestClient, data: Path, corpus_sha256: str) -> DemoState | None:
    """Return what an earlier demo made when it still exists and the library's documentation is the same."""
    try:
        state = DemoState(**json.loads(_state_file(data).read_text()))
        if state.corpus_sha256 != corpus_sha256:
            return None
        client.get(f"/api/v1/index_builds/{state.build_id}")
        client.get(f"/v1/clusters/{state.cluster_id}/executions/{state.run_id}")
    except (FileNotFoundError, TypeError, ValueError, RestError):
        return None
    print("The library was ingested and clustered before; nothing is done again.", flush=True)
    return state


def _ingest_and_cluster(client: RestClient, data: Path, corpus: Corpus, began: float) -> DemoState:
    print(f"{corpus.texts} texts in {len(corpus.files)} files, one a module.", flush=True)
    project_id = str(client.post("/api/v1/projects", {"name": PROJECT})["project_id"])
    with progress("Uploading and segmenting") as report:
        segment_sets = _segment_sets(client, project_id, corpus, report)
    with progress("Joining the sets and chunking"):
        chunk_set = join_and_chunk(client, project_id, segment_sets, RECIPE)
    index = client.post(
        f"/api/v1/projects/{project_id}/indexes",
        {"name": "docstrings", "provider": RECIPE.provider, "config": dict(RECIPE.index_config)},
    )
    chunk_set_id = str(chunk_set["chunk_set_version_id"])
    with progress(f"Embedding {chunk_set['total_items']} chunks and building the index") as report:
        build = build_index(client, index["index_id"], chunk_set_id, report)
    first = client.post(
        f"/api/v1/projects/{project_id}/retrieve",
        demo_report.vector_request(QUESTIONS[0], build["build_id"], limit=1),
    )["items"]
    print(f"First passage after {time.monotonic() - began:.1f} s: {demo_report.one_line(first[0]['page_content'])}\n")
    collection_id, cluster_id, run_id = _cluster(client, index["index_id"])
    state = DemoState(
        corpus_sha256=corpus.sha256,
        project_id=project_id,
        index_id=index["index_id"],
        build_id=build["build_id"],
        chunk_set_id=chunk_set_id,
        collection_id=collection_id,
        cluster_id=cluster_id,
        run_id=run_id,
    )
    _state_file(data).write_text(json.dumps(asdict(state), indent=1))
    return state


def _segment_sets(client: RestClient, project_id: str, corpus: Corpus, report: Report) -> list[str]:
    files = [LocalFile(file, folder=file.parent) for file in corpus.files]
    taken = take_files(client, project_id, files, report, LOADER_PARAMS)
    if taken.failures:
        raise RestError("; ".join(taken.failures))
    return taken.segment_set_ids


def _cluster(client: RestClient, index_id: str) -> tuple[str, str, str]:
    """Cluster the collection that the index's first build made; return (collection id, cluster id, run id)."""
    collections = client.get("/v1/collections", limit=1000)["results"]
    collection_id = next(c["collection_id"] for c in collections if c["metadata"].get("index_id") == index_id)
    cluster = client.post(
        "/v1/clusters",
        {
            "cluster_name": f"{CLUSTER}_{index_id[:8]}",
            "collection_ids": [collection_id],
            "cluster_type": "vector",
            "vector_config": CLUSTER_CONFIG,
        },
    )
    task = client.post(f"/v1/clusters/{cluster['cluster_id']}/execute")
    with progress("Clustering: UMAP, then HDBSCAN") as report:
        ended = completed_task(client, task["task_id"], report)
    return collection_id, cluster["cluster_id"], ended["additional_data"]["run_id"]
