"""Answers of the clusters API, as an unmodified Mixpeek client insists on reading them (its required keys and types).

The client fails on a missing or null required key, a number as text, a word outside its lists, an empty time, and a
list too short; one bad row fails a whole list.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest

from contract.player import http_sender
from support.stack import Stack

pytestmark = pytest.mark.acceptance

Check = Callable[[Any], bool]


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_time(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


def like(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def one_of(*words: Any) -> Check:
    return lambda value: value in words and not isinstance(value, bool)


def list_of(check: Check, *, at_least: int = 0) -> Check:
    return lambda value: isinstance(value, list) and len(value) >= at_least and all(map(check, value))


def is_object(value: Any) -> bool:
    return isinstance(value, dict)


@dataclass(frozen=True)
class Shape:
    """Keys that must be there and not null, and keys that may be null or absent."""

    required: Mapping[str, Check]
    optional: Mapping[str, Check] = field(default_factory=dict)

    def __call__(self, value: Any) -> bool:
        assert isinstance(value, dict)
        for name, check in self.required.items():
            assert value.get(name) is not None, f"{name} is required, found {value.get(name)!r}"
            assert check(value[name]), f"{name}: {value[name]!r}"
        for name, check in self.optional.items():
            assert value.get(name) is None or check(value[name]), f"{name}: {value[name]!r}"
        return True


TASK_STATES = one_of(
    "PENDING", "QUEUED", "IN_PROGRESS", "PROCESSING", "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"
)
RUN_ID, CLUSTER_ID = like("run_[a-zA-Z0-9]+"), like("clust_[a-zA-Z0-9]+")
METRIC = one_of("cosine", "euclidean", "dot_product")

PAGINATION = Shape(
    {},
    {
        **dict.fromkeys(("total", "page", "page_size", "total_pages"), is_whole),
        **dict.fromkeys(("next_page", "previous_page", "next_cursor"), is_text),
    },
)
VECTOR = Shape({"name": is_text, "dimension": is_whole, "metric": METRIC})
NAMESPACE = Shape(
    {"namespace_name": is_text},
    {"namespace_id": is_text, "vector_configs": list_of(VECTOR), "document_count": is_whole, "created_at": is_time},
)
COLLECTION = Shape(
    {
        "collection_name": lambda value: is_text(value) and 3 <= len(value) <= 100,
        "feature_extractor": Shape(
            {"feature_extractor_name": is_text, "version": is_text, "feature_extractor_id": is_text}
        ),
        "source": Shape(
            {"type": one_of("bucket", "collection")},
            {"bucket_ids": list_of(is_text, at_least=1), "collection_ids": list_of(is_text, at_least=1)},
        ),
    },
    {"collection_id": is_text, "created_at": is_time, "updated_at": is_time},
)
LABELING = Shape(
    {
        "enabled": is_flag,
        "include_summary": is_flag,
        "include_keywords": is_flag,
        "sample_text_max_length": is_whole,
        "use_embedding_dedup": is_flag,
        "embedding_similarity_threshold": is_number,
        "cache_ttl_seconds": is_whole,
        "parameters": is_object,
    },
    {
        "provider": one_of("openai", "google", "anthropic", "typesafe"),
        "model_name": one_of("gpt-4o-mini-2024-07-18"),
        "max_samples_per_cluster": is_whole,
        "labeling_inputs": Shape({"input_mappings": list_of(Shape({"input_key": is_text}), at_least=1)}),
    },
)
CLUSTER = Shape(
    {
        "cluster_name": is_text,
        "namespace_id": is_text,
        "input_collections": list_of(is_text),
        "cluster_type": one_of("vector", "attribute"),
        "enrich_source": is_flag,
        "hierarchy_detected": is_flag,
    },
    {
        "cluster_id": CLUSTER_ID,
        "vis_n_components": one_of(2, 3),
        "layout_stability": one_of("none", "transform", "align"),
        "multi_feature_strategy": one_of("concatenate", "independent", "weighted"),
        "algorithm": is_text,
        "algorithm_params": is_object,
        "filters": is_object,
        "llm_labeling": LABELING,
        "num_clusters": is_whole,
        "num_documents_clustered": is_whole,
        "execution_time_seconds": is_number,
        "quality_metrics": is_object,
        "child_cluster_ids": list_of(is_text),
        "hierarchy_relationships": list_of(is_object),
        "status": TASK_STATES,
        "failure_category": one_of(
            "timeout", "infrastructure", "orphaned", "pipeline", "mvs_durability", "validation", "unknown"
        ),
        **dict.fromkeys(("created_at", "updated_at", "last_executed_at", "completed_at"), is_time),
    },
)
CENTROID = Shape(
    {"cluster_id": lambda value: is_text(value) and value != "", "num_members": is_whole},
    {
        "label": is_text,
        "keywords": list_of(is_text),
        "mean_cosine_similarity": is_number,
        "min_cosine_similarity": is_number,
        "centroid_vector": list_of(is_number),
        "representative_ids": list_of(Shape({"document_id": is_text})),
    },
)
METRICS = Shape(
    {},
    {
        "silhouette_score": lambda value: is_number(value) and -1 <= value <= 1,
        "degenerate": lambda value: value is False or is_text(value),
        **dict.fromkeys(
            (
                "davies_bouldin_index",
                "calinski_harabasz_score",
                "avg_cluster_size",
                "noise_ratio",
                "cluster_size_entropy",
                "should_recluster",
                "mean_cosine_to_centroid",
                "min_cosine_to_centroid",
            ),
            lambda value: is_number(value) and value >= 0,
        ),
    },
)
EXECUTION = Shape(
    {
        "run_id": RUN_ID,
        "cluster_id": CLUSTER_ID,
        "status": one_of("pending", "processing", "completed", "failed", "canceled"),
        "num_clusters": is_whole,
        "num_points": is_whole,
        "created_at": is_time,
        "member_counts_stale": is_flag,
    },
    {
        "metrics": METRICS,
        "centroids": list_of(CENTROID),
        "completed_at": is_time,
        "mode": one_of("full", "assign", "composite"),
        "layout_stability_applied": one_of("transform", "aligned", "none"),
        **dict.fromkeys(("source_documents", "vectors_retrieved", "vectors_clustered", "index_gap"), is_whole),
    },
)
TASK = Shape(
    {"task_id": is_text, "task_type": one_of("engine_cluster_build"), "status": TASK_STATES},
    {"inputs": list_of(is_text), "outputs": list_of(is_text), "additional_data": is_object, "error": is_text},
)
GROUPS = Shape(
    {
        "cluster_id": is_text,
        "total_groups": is_whole,
        "total_documents": is_whole,
        "member_counts_stale": is_flag,
        "groups": list_of(Shape({"cluster_id": is_text, "member_count": is_whole})),
    },
    {"run_id": RUN_ID},
)
DOCUMENT = Shape({"document_id": is_text, "collection_id": is_text}, {"_internal": is_object})
UPSERTED = Shape(
    {"inserted": is_whole, "document_ids": list_of(is_text)},
    {
        "write_token": is_text,
        "dropped_payload_fields": is_object,
        "unsearchable_document_ids": list_of(is_text),
        "consistency": Shape({"retriever_visible": is_text}),
        "warnings": list_of(is_text),
    },
)
ERROR = Shape({"status": is_whole, "success": is_flag, "error": Shape({"message": is_text, "type": is_text})})


def listed(row: Check, *, counted: bool = True) -> Shape:
    count = {"total_count": is_whole} if counted else {}
    return Shape({"results": list_of(row), "pagination": PAGINATION, **count})


@dataclass
class Client:
    """Sends what the client sends: both headers, and empty bodies where it has none."""

    url: str
    namespace: str = "default"

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        headers = {
            "Content-Type": "application/json",
            "Authorization": "Bearer sk_local",
            "X-Namespace": self.namespace,
        }
        content = b"" if body is None else json.dumps(body).encode()
        answer = http_sender(self.url)(method, path, headers, None if method == "GET" else content)
        if answer.status == 200:
            assert answer.headers["content-type"].startswith("application/json")
        return json.loads(answer.body)


@pytest.fixture(scope="module")
def client(shoal_up: Stack) -> Client:
    client = Client(shoal_up.url)
    name = "shapes" + secrets.token_hex(4)
    assert NAMESPACE(client("POST", "/v1/namespaces", {"namespace_name": name}))
    client.namespace = name
    documents = [
        {"document_id": f"d{at}", "vectors": {"v": [1 - at % 2, at % 2, 0.1 * at]}, "payload": {"title": "text"}}
        for at in range(10)
    ]
    body = {"collection_id": "things", "documents": documents, "options": {"write_token": None}}
    assert UPSERTED(client("POST", f"/v1/namespaces/{name}/documents/upsert", body))
    return client


def made_cluster(client: Client, **changes: Any) -> dict[str, Any]:
    vector = {"feature_uri": "v", "clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2, "copy_x": True}}
    labeling = {"enabled": True, "provider": "openai", "model_name": "gpt-4o-mini"}
    body = {"collection_ids": ["things"], "vector_config": {**vector, **changes}, "llm_labeling": labeling}
    cluster = client("POST", "/v1/clusters", body)
    assert CLUSTER(cluster)
    return dict(cluster)


def test_namespaces_collections_and_documents(client: Client) -> None:
    assert listed(NAMESPACE)(client("GET", "/v1/namespaces?limit=1000&include_total=true"))
    assert listed(NAMESPACE)(client("POST", "/v1/namespaces/list"))
    assert listed(COLLECTION)(client("POST", "/v1/collections/list"))
    assert COLLECTION(client("GET", "/v1/collections/things"))
    body = {"limit": 10, "offset": 0, "return_vectors": False, "return_presigned_urls": False}
    found = client("POST", "/v1/collections/things/documents/list?limit=3&return_vectors=true", body)
    assert Shape({"pagination": PAGINATION}, {"results": list_of(DOCUMENT)})(found)
    assert len(found["results"]) == 10
    assert list_of(is_number)(found["results"][0]["v"])


def test_a_cluster_that_never_ran(client: Client) -> None:
    cluster = made_cluster(client)
    assert client("GET", f"/v1/clusters/{cluster['cluster_id']}/executions") is None
    assert GROUPS(client("GET", f"/v1/clusters/{cluster['cluster_id']}/groups"))
    assert listed(EXECUTION)(client("POST", f"/v1/clusters/{cluster['cluster_id']}/executions/list"))


@pytest.mark.parametrize("clusters", [2, 20], ids=["completed", "failed"])
def test_a_run_at_every_moment_of_its_life(client: Client, clusters: int) -> None:
    cluster_id = made_cluster(client, algorithm_params={"n_clusters": clusters})["cluster_id"]
    task = client("POST", f"/v1/clusters/{cluster_id}/execute", {"mode": "full", "assignment_threshold": 0.5})
    assert TASK(task)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        run = client("GET", f"/v1/clusters/{cluster_id}/executions?include_vectors=true")
        assert EXECUTION(run)
        assert TASK(client("GET", f"/v1/tasks/{task['task_id']}"))
        assert CLUSTER(client("GET", f"/v1/clusters/{cluster_id}"))
        if run["status"] in {"completed", "failed"}:
            break
        time.sleep(0.05)
    assert run["status"] == ("completed" if clusters == 2 else "failed")
    assert EXECUTION(client("GET", f"/v1/clusters/{cluster_id}/executions/{run['run_id']}"))
    assert listed(EXECUTION)(client("POST", f"/v1/clusters/{cluster_id}/executions/list"))
    assert listed(CLUSTER)(client("GET", "/v1/clusters?limit=1000"))
    assert listed(CLUSTER)(client("POST", "/v1/clusters/list", {"search": "cluster"}))
    assert GROUPS(client("GET", f"/v1/clusters/{cluster_id}/groups"))
    assert listed(TASK, counted=False)(client("POST", "/v1/tasks/list"))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/clusters/nope", 404),
        ("POST", "/v1/clusters", 422),
        ("GET", "/v1/clusters?limit=x", 422),
        ("POST", "/v1/clusters/nope/execute", 404),
        ("GET", "/v1/nope", 404),
    ],
)
def test_every_error_is_in_the_envelope_that_clients_read(client: Client, method: str, path: str, status: int) -> None:
    error = client(method, path)
    assert ERROR(error)
    assert error["status"] == status
