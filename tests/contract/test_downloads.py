"""The Parquet file of a run, behind its short-lived address, is the one whose hash and rows the export names."""

from __future__ import annotations

import hashlib
import io
import json
import time
import urllib.request
import uuid
from typing import Any

import pyarrow.parquet as pq
import pytest

from support.stack import Stack

pytestmark = pytest.mark.acceptance


def call(url: str, body: Any = None) -> Any:
    request = urllib.request.Request(  # noqa: S310 - our own installation
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.load(answer)


def completed_run(base: str) -> str:
    collection = f"files {uuid.uuid4().hex[:8]}"
    documents = [
        {"document_id": f"d{at}", "vectors": {"v": [1.0, at % 2, 0.1 * at]}, "payload": {"title": f"text {at}"}}
        for at in range(8)
    ]
    call(f"{base}/v1/namespaces/default/documents/upsert", {"collection_id": collection, "documents": documents})
    asked = {
        "collection_ids": [collection],
        "algorithm": "kmeans",
        "algorithm_config": {"num_clusters": 2},
        "dimension_reduction": {"method": "umap", "components": 3},
    }
    cluster = call(f"{base}/v1/clusters", asked)["cluster_id"]
    task = call(f"{base}/v1/clusters/{cluster}/execute", {})
    deadline = time.monotonic() + 120
    while call(f"{base}/v1/tasks/{task['task_id']}")["status"] != "COMPLETED":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return f"{base}/v1/clusters/{cluster}/executions/{task['outputs'][0]}"


def test_an_export_is_downloaded_whole(shoal_up: Stack) -> None:
    export = call(completed_run(shoal_up.url) + "/export")
    with urllib.request.urlopen(export["url"], timeout=30) as answer:  # noqa: S310
        assert export["filename"] in answer.headers["content-disposition"]
        body = answer.read()
    assert (hashlib.sha256(body).hexdigest(), len(body)) == (export["sha256"], export["size_bytes"])
    rows = pq.read_table(io.BytesIO(body)).to_pylist()
    assert len(rows) == export["rows"] == 8 + 2
    members = [row for row in rows if not row["is_centroid"]]
    assert {row["document_id"] for row in members} == {f"d{at}" for at in range(8)}
    assert all(isinstance(row[axis], float) for row in members for axis in ("x", "y", "z"))
