"""Enrichments as messages."""

from __future__ import annotations

from collections.abc import Sequence

from shoal.clusters.v1 import cluster_definition_pb2, enrichment_pb2
from shoal.clusters.v1 import enrichment_service_pb2 as pb

from shoald.application.enriching import BATCH_SIZE, EnrichmentRequest
from shoald.application.enrichment_fields import checked_mappings, named_mappings
from shoald.domain.records.enrichment import Enrichment, FieldMapping
from shoald.transport.mapping.clusters.times import optional_timestamp, to_timestamp


def request_of(body: pb.StartEnrichmentBody) -> EnrichmentRequest:
    """Return what is to be written; raises `InvalidFields` for a field that there is not."""
    given = [FieldMapping(source=one.source_field, target=one.target_field) for one in body.field_mappings]
    named = named_mappings(body.fields)
    return EnrichmentRequest(
        run_id=body.run_id or None,
        source=body.source_collection_id or None,
        target=body.target_collection_id or None,
        mappings=checked_mappings([*named, *given], "field_mappings"),
        batch_size=body.batch_size or BATCH_SIZE,
    )


def apply_request_of(request: pb.ApplyEnrichmentsRequest) -> EnrichmentRequest:
    """Return what is to be written for each cluster."""
    return EnrichmentRequest(
        source=request.source_collection_id,
        target=request.target_collection_id or None,
        batch_size=request.batch_size or BATCH_SIZE,
    )


def to_message(enrichment: Enrichment) -> enrichment_pb2.Enrichment:
    """Return an enrichment as it is shown."""
    return enrichment_pb2.Enrichment(
        enrichment_id=enrichment.enrichment_id,
        cluster_id=enrichment.cluster_id,
        run_id=enrichment.run_id,
        job_id=enrichment.job_id,
        status=enrichment.status,
        source_collection_ids=enrichment.source_collection_ids,
        target_collection_id=enrichment.target_collection_id,
        field_mappings=[
            cluster_definition_pb2.EnrichmentFieldMapping(source_field=one.source, target_field=one.target)
            for one in enrichment.mappings
        ],
        partition=enrichment.partition or None,
        is_automatic=enrichment.is_automatic,
        processed=enrichment.position,
        enriched=enrichment.enriched,
        failed=enrichment.failed,
        batches=enrichment.batches,
        restored=enrichment.restored,
        error_message=enrichment.error_message,
        error_code=enrichment.error_code,
        created_at=to_timestamp(enrichment.created_at),
        completed_at=optional_timestamp(enrichment.completed_at),
        undone_at=optional_timestamp(enrichment.undone_at),
    )


def applied_message(found: Sequence[Enrichment], *, parallelism: int) -> pb.ApplyEnrichmentsResponse:
    """Return what several enrichments did together."""
    idle = f"parallelism {parallelism} does not apply: batches of one collection are written one after another"
    return pb.ApplyEnrichmentsResponse(
        processed=sum(one.position for one in found),
        enriched=sum(one.enriched for one in found),
        failed=sum(one.failed for one in found),
        batches=sum(one.batches for one in found),
        enrichment_ids=[one.enrichment_id for one in found],
        warnings=[idle] if parallelism > 1 else [],
    )
