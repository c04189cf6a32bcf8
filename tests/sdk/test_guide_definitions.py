"""The guide's curl lines, all six, as they are written: only the host, the key and the ids differ."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import mixpeek
import pytest

from sdk.conftest import Own
from support import sdk_world
from support.stack import Stack

FIRST = """
curl -sS -X POST "$MP_API_URL/v1/clusters" \\
  -H "Authorization: Bearer $MP_API_KEY" \\
  -H "X-Namespace: $MP_NAMESPACE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "cluster_name": "product_topics",
    "collection_ids": ["col_products"],
    "cluster_type": "vector",
    "vector_config": {
      "feature_uri": "mixpeek://text_extractor@v1/text_embedding",
      "clustering_method": "hdbscan",
      "algorithm_params": { "min_cluster_size": 10, "min_samples": 5 },
      "preprocessing_steps": [
        { "method": "whitening" },
        { "method": "umap", "n_components": 50, "n_neighbors": 30 }
      ]
    },
    "llm_labeling": {
      "enabled": true,
      "provider": "openai",
      "model_name": "gpt-4o-mini"
    }
  }'
"""
HIERARCHY = """
curl -sS -X POST "$MP_API_URL/v1/clusters" \\
  -H "Authorization: Bearer $MP_API_KEY" \\
  -H "X-Namespace: $MP_NAMESPACE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "cluster_name": "content_hierarchy",
    "collection_ids": ["col_videos"],
    "cluster_type": "vector",
    "vector_config": {
      "feature_uri": "mixpeek://multimodal_extractor@v1/multimodal_embedding",
      "clustering_method": "hdbscan",
      "algorithm_params": { "min_cluster_size": 50, "min_samples": 10 },
      "hierarchical": true,
      "max_hierarchy_depth": 3
    }
  }'
"""
SCRIPTS = """
curl -sS -X POST "$MP_API_URL/v1/clusters" \\
  -H "Authorization: Bearer $MP_API_KEY" \\
  -H "X-Namespace: $MP_NAMESPACE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "cluster_name": "script_archetypes",
    "source_collection_ids": ["col_ad_scripts"],
    "feature_addresses": ["mixpeek://text_extractor@v1/text_embedding"],
    "algorithm": "kmeans",
    "algorithm_config": { "num_clusters": 20 },
    "llm_labeling": {
      "provider": "openai",
      "model_name": "gpt-4o-mini",
      "labeling_inputs": {
        "input_mappings": [
          { "input_key": "text", "source_type": "payload", "path": "headline" },
          { "input_key": "text", "source_type": "payload", "path": "primary_text" },
          { "input_key": "text", "source_type": "payload", "path": "description" }
        ]
      }
    }
  }'
"""
SCENES = """
curl -sS -X POST "$MP_API_URL/v1/clusters" \\
  -H "Authorization: Bearer $MP_API_KEY" \\
  -H "X-Namespace: $MP_NAMESPACE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "cluster_name": "scene_themes",
    "source_collection_ids": ["col_ad_scenes"],
    "feature_addresses": ["mixpeek://multimodal_extractor@v1/multimodal_embedding"],
    "algorithm": "kmeans",
    "algorithm_config": { "num_clusters": 25 },
    "llm_labeling": {
      "provider": "google",
      "model_name": "gemini-2.5-flash-preview-04-17",
      "labeling_inputs": {
        "input_mappings": [
          { "input_key": "text", "source_type": "payload", "path": "headline" },
          { "input_key": "text", "source_type": "payload", "path": "primary_text" },
          { "input_key": "image_url", "source_type": "blob", "path": "document_blobs.0.url" }
        ]
      }
    }
  }'
"""
ASSIGN = """
curl -sS -X POST "$MP_API_URL/v1/clusters/{cluster_id}/execute" \\
  -H "Authorization: Bearer $MP_API_KEY" \\
  -H "X-Namespace: $MP_NAMESPACE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "mode": "assign",
    "assignment_threshold": 0.5
  }'
"""
ENRICH = """
curl -sS -X POST "$MP_API_URL/v1/clusters/{cluster_id}/enrich" \\
  -H "Authorization: Bearer $MP_API_KEY" \\
  -H "X-Namespace: $MP_NAMESPACE" \\
  -H "Content-Type: application/json" \\
  -d '{
    "run_id": "run_xyz789",
    "target_collection_id": "col_products_enriched",
    "fields": ["cluster_id", "label", "summary", "keywords"]
  }'
"""


@pytest.fixture(scope="module")
def curl() -> str:
    found = shutil.which("curl")
    assert found is not None, "curl is not installed"
    return found


def run(line: str, stack: Stack, namespace: str, curl: str) -> Any:
    """Let a shell run a line of the guide, and return what came back."""
    environment = {
        "PATH": str(Path(curl).parent),
        "MP_API_URL": stack.url,
        "MP_API_KEY": "sk_local",
        "MP_NAMESPACE": namespace,
    }
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout)


def collection(own: Own, vector: str) -> str:
    """Make a collection with one vector of the extractor that the guide's line names."""
    made = mixpeek.BYOUpsertRequest.from_dict(
        {
            "collection_id": f"with {vector}",
            "documents": [{"document_id": f"d{at}", "vectors": {vector: [1.0, float(at)]}} for at in range(3)],
        }
    )
    upsert = mixpeek.BYODocumentsApi(own.client).upsert_documents_byo_namespaces_with_http_info
    return str(json.loads(upsert(own.namespace, made).raw_data)["collection_id"])


@pytest.mark.parametrize(
    ("line", "collection_id", "vector"),
    [
        (FIRST, "col_products", "text_embedding"),
        (HIERARCHY, "col_videos", "multimodal_embedding"),
        (SCRIPTS, "col_ad_scripts", "text_embedding"),
        (SCENES, "col_ad_scenes", "multimodal_embedding"),
    ],
    ids=["first", "hierarchy", "scripts", "scenes"],
)
def test_a_line_of_the_guide_makes_what_the_client_reads(
    shoal_up: Stack, own: Own, curl: str, line: str, collection_id: str, vector: str
) -> None:
    ours = collection(own, vector)
    made = run(line.replace(collection_id, ours), shoal_up, own.namespace, curl)
    asked = json.loads(line.partition("-d '")[2].rpartition("'")[0])
    assert (made["cluster_name"], made["input_collections"]) == (asked["cluster_name"], [ours])
    read = mixpeek.ClustersApi(own.client).get_cluster(made["cluster_name"])
    config = asked.get("vector_config") or asked
    assert read.algorithm == config.get("clustering_method", asked.get("algorithm"))
    assert read.feature_uris == [config.get("feature_uri") or asked["feature_addresses"][0]]
    assert read.algorithm_params == (config.get("algorithm_params") or asked["algorithm_config"])
    assert read.hierarchical_vector is config.get("hierarchical", False)
    again = mixpeek.ClustersApi(own.client).list_clusters().results
    assert [one.cluster_id for one in again] == [made["cluster_id"]]


def test_the_lines_about_runs_assign_new_documents_and_write_their_groups_elsewhere(
    shoal_up: Stack, own: Own, curl: str
) -> None:
    sdk_world.upload(own.client, own.namespace)
    target = collection(own, "other")
    cluster = sdk_world.define(own.client).cluster_id
    sdk_world.execute(own.client, cluster)
    sdk_world.upload(own.client, own.namespace, number=3, prefix="new")
    task = run(ASSIGN.replace("{cluster_id}", cluster), shoal_up, own.namespace, curl)
    assert sdk_world.ended(own.client, task["task_id"]).status == "COMPLETED"
    line = ENRICH.replace("{cluster_id}", cluster).replace("run_xyz789", task["additional_data"]["run_id"])
    begun = run(line.replace("col_products_enriched", target), shoal_up, own.namespace, curl)
    path = f"/v1/clusters/{cluster}/enrichments/{begun['enrichment_id']}"
    done = sdk_world.awaited(lambda: read(own.client, path), lambda found: found["status"] == "completed")
    written = sdk_world.DOCUMENTS + 3
    assert (done["enriched"], done["failed"], done["target_collection_id"]) == (written, 0, target)
    document = mixpeek.CollectionDocumentsApi(own.client).get_document(target, "new000").additional_properties
    assert document["cluster_id"].startswith("cl_")
    assert {"cluster_id", "label", "summary", "keywords"} <= document.keys()


def read(client: Any, path: str) -> Any:
    """Read a path that this version of the client has no method for."""
    answer = client.call_api(
        *client.param_serialize(method="GET", resource_path=path, auth_settings=["NamespaceHeader", "BearerAuth"])
    )
    return json.loads(answer.read())
