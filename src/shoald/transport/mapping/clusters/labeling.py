"""How groups get names, as a message with the documented defaults."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from shoal.clusters.v1 import cluster_definition_pb2

from shoald.domain.json_types import JsonObject

# clients refuse null where the document has a default
_DEFAULTS = {
    "enabled": False,
    "include_summary": True,
    "include_keywords": True,
    "sample_text_max_length": 200,
    "sample_selection_strategy": "nearest",
    "use_embedding_dedup": True,
    "embedding_similarity_threshold": 0.8,
    "cache_ttl_seconds": 604_800,
    "parameters": {},
}


def labeling_message(stored: JsonObject) -> cluster_definition_pb2.Labeling:
    """Return what a definition says of names."""
    body: dict[str, Any] = {**_DEFAULTS, **stored}
    return json_format.ParseDict(body, cluster_definition_pb2.Labeling(), ignore_unknown_fields=True)
