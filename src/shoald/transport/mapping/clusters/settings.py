"""What surrounds the runs of a definition, as both of its shapes show it."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import json_format
from shoal.clusters.v1 import cluster_definition_pb2

from shoald.application.cluster_settings import COOLDOWN_SECONDS
from shoald.domain.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a stored definition; those made before there were such have the defaults."""

    sources: list[str]
    enriches: bool
    enrichment: cluster_definition_pb2.SourceEnrichment | None
    starts_itself: bool
    least_documents: int | None
    cooldown_seconds: int

    @classmethod
    def of(cls, definition: JsonObject) -> Settings:
        """Read a stored definition."""
        config = definition.get("source_enrichment_config")
        return cls(
            sources=list(definition.get("source_cluster_ids", ())),
            enriches=definition.get("enrich_source_collection", False),
            enrichment=json_format.ParseDict(config, cluster_definition_pb2.SourceEnrichment()) if config else None,
            starts_itself=definition.get("auto_execute_on_batch", False),
            least_documents=definition.get("auto_execute_min_documents"),
            cooldown_seconds=definition.get("auto_execute_cooldown_seconds", COOLDOWN_SECONDS),
        )
