"""A collection is grouped, drawn and named by a run; the run's groups and the place of its points come out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shoald.cli.job_waiting import completed_task
from shoald.cli.map_import import MapError
from shoald.cli.progress import progress
from shoald.cli.rest_client import RestClient, RestError

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class MapWish:
    """How a collection is grouped. `vectors` names the vectors (None: the only ones); `levels` counts the levels below
    the first; `texts` are the payload fields that names are made from, none for those that Shoal knows. `labeling` is
    said of the language model that names the groups (`provider`, `model_name`); without it Shoal names them itself.
    """

    algorithm: str
    levels: int
    parameters: Mapping[str, Any]
    vectors: str | None = None
    texts: Sequence[str] = ()
    labeling: Mapping[str, str] = field(default_factory=dict[str, str])


def run_of(client: RestClient, collection: Mapping[str, Any], wish: MapWish) -> dict[str, Any]:
    """Run the cluster that draws this map, made if there is none, and return the completed run.

    What a run before computed of the same vectors is not computed again. Raises `MapError`, `RestError`.
    """
    cluster_id = _cluster(client, definition_of(client, collection, wish))
    task = client.post(f"/v1/clusters/{cluster_id}/execute")
    with progress(
        f"Grouping {collection['document_count']:,} documents by {wish.algorithm}, drawing, naming"
    ) as report:
        ended = completed_task(client, task["task_id"], report)
    run_id = ended["additional_data"]["run_id"]
    run: dict[str, Any] = client.get(f"/v1/clusters/{cluster_id}/executions/{run_id}")
    return run


def definition_of(client: RestClient, collection: Mapping[str, Any], wish: MapWish) -> dict[str, Any]:
    """Return the definition of the cluster; its name says what it is of, so that the same wish finds it again."""
    vector_config: dict[str, Any] = {"clustering_method": wish.algorithm}
    if wish.parameters:
        vector_config["algorithm_params"] = dict(wish.parameters)
    if wish.levels:
        vector_config |= {"hierarchical": True, "max_hierarchy_depth": wish.levels}
    if wish.vectors:
        vector_config["feature_uris"] = [_feature(client, collection, wish.vectors)]
    definition: dict[str, Any] = {
        "collection_ids": [collection["collection_id"]],
        "cluster_type": "vector",
        "vector_config": vector_config,
    }
    if labeling := _labeling(wish):
        definition["llm_labeling"] = labeling
    digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:10]
    return {"cluster_name": f"{collection['collection_name'][:80]}_map_{digest}", **definition}


def _labeling(wish: MapWish) -> dict[str, Any]:
    labeling: dict[str, Any] = {**wish.labeling, "enabled": True} if wish.labeling else {}
    if wish.texts:
        mappings = [{"input_key": text, "source_type": "payload", "path": text} for text in wish.texts]
        labeling = {"enabled": False, **labeling, "labeling_inputs": {"input_mappings": mappings}}
    return labeling


def _feature(client: RestClient, collection: Mapping[str, Any], vectors: str) -> str:
    features = client.get(f"/v1/collections/{collection['collection_id']}/features")["features"]
    for feature in features:
        if feature["vector_index"]["name"] == vectors:
            return str(feature["feature_uri"])
    there = ", ".join(feature["vector_index"]["name"] for feature in features)
    raise MapError(f"the collection has no vectors {vectors!r}; there are {there or 'none'}")


def _cluster(client: RestClient, definition: Mapping[str, Any]) -> str:
    try:
        return str(client.get(f"/v1/clusters/{definition['cluster_name']}")["cluster_id"])
    except RestError as error:
        if error.status != _NOT_FOUND:
            raise
    return str(client.post("/v1/clusters", definition)["cluster_id"])
