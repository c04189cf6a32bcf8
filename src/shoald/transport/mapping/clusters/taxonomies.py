"""Taxonomies as messages, and requests about them as what the use cases take."""

from __future__ import annotations

from collections.abc import Sequence

from shoal.clusters.v1 import taxonomy_pb2
from shoal.clusters.v1 import taxonomy_service_pb2 as pb

from shoald.application.classifying import (
    BATCH_SIZE,
    ClassificationRequest,
    ClassifiedDocument,
    StartedClassification,
)
from shoald.application.promotion_sources import DocumentReference, PromotionRequest, RunReference
from shoald.application.taxonomies import NewTaxonomy, Promotion, TaxonomyChanges, TaxonomyState
from shoald.application.taxonomy_nodes import retriever_of
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import JoinMode
from shoald.domain.records.taxonomy import Taxonomy, TaxonomyListStats, TaxonomyNode
from shoald.transport.json_values import plain, plain_object, to_struct, to_value
from shoald.transport.mapping.clusters.times import to_timestamp

_PARALLELISM = 4
_UNCHANGEABLE = ("config", "taxonomy_type", "retriever_id", "input_mappings", "enrichment_fields")


def new_taxonomy_of(request: pb.CreateTaxonomyRequest | pb.CreateTaxonomyFromDocumentsRequest) -> NewTaxonomy:
    """Return what a request says of a new taxonomy."""
    metadata = plain_object(request.metadata) if isinstance(request, pb.CreateTaxonomyRequest) else {}
    return NewTaxonomy(
        taxonomy_name=request.taxonomy_name,
        description=request.description if request.HasField("description") else None,
        target_field=request.enrichment_target_field or None,
        min_score=request.min_score,
        metadata=metadata,
    )


def clone_of(request: pb.CloneTaxonomyRequest) -> tuple[NewTaxonomy, JsonObject | None]:
    """Return what a clone is, and its own configuration if it has one."""
    said = request.description if request.HasField("description") else None
    config = plain_object(request.config) if request.HasField("config") else None
    return NewTaxonomy(taxonomy_name=request.taxonomy_name, description=said), config


def promotion_of(request: pb.CreateTaxonomyFromDocumentsRequest | pb.CreateTaxonomyNodesRequest) -> PromotionRequest:
    """Return what nodes are made of."""
    run = request.cluster_run if request.HasField("cluster_run") else None
    return PromotionRequest(
        run=None if run is None else RunReference(cluster=run.cluster_id, run_id=run.run_id),
        documents=tuple(
            DocumentReference(collection=one.collection_id, document_id=one.document_id) for one in request.documents
        ),
        node_label=request.node_label or None,
        node_fields=plain_object(request.node_fields),
        vector_name=request.vector_name or None,
        provenance=plain_object(request.provenance),
    )


def changes_of(request: pb.UpdateTaxonomyRequest) -> TaxonomyChanges:
    """Return what changes in a taxonomy; raises `InvalidFields` for what says how it matches, which stays."""
    message = "cannot be changed; POST /v1/taxonomies/{taxonomy_identifier}/clone makes one of another configuration"
    given = {name: plain(getattr(request, name)) for name in _UNCHANGEABLE}
    problems = [
        FieldProblem(("body", name), "value_error", message, value)
        for name, value in given.items()
        if value is not None
    ]
    if problems:
        raise InvalidFields(problems)
    return TaxonomyChanges(
        taxonomy_name=request.taxonomy_name if request.HasField("taxonomy_name") else None,
        description=request.description if request.HasField("description") else None,
        metadata=plain_object(request.metadata) if request.HasField("metadata") else None,
    )


def classification_of(request: pb.ApplyTaxonomyRequest) -> ClassificationRequest:
    """Return which documents are classified; raises `InvalidFields` for a budget, which nothing would be held to."""
    if request.budget_limits.fields:
        message = "cannot be set: nothing is charged here, and a task that is canceled keeps what it wrote"
        raise InvalidFields.field("body", "budget_limits", message=message, value=plain_object(request.budget_limits))
    return ClassificationRequest(
        taxonomy=request.taxonomy_id,
        filters=plain_object(request.scroll_filters) if request.HasField("scroll_filters") else None,
        target=request.target_collection_id or None,
        batch_size=request.batch_size or BATCH_SIZE,
    )


def to_message(state: TaxonomyState) -> taxonomy_pb2.Taxonomy:
    """Return a taxonomy as it is shown."""
    taxonomy = state.taxonomy
    return taxonomy_pb2.Taxonomy(
        taxonomy_id=taxonomy.taxonomy_id,
        taxonomy_name=taxonomy.taxonomy_name,
        description=taxonomy.description,
        version=taxonomy.version,
        ready=state.is_ready,
        config=to_struct(taxonomy.config),
        nodes=map(_node, state.nodes),
        created_at=to_timestamp(taxonomy.created_at),
        updated_at=to_timestamp(taxonomy.updated_at),
        retriever_id=retriever_of(taxonomy.node_collection_id),
        input_mappings=to_value(taxonomy.config["input_mappings"]).list_value,
        metadata=to_struct(taxonomy.metadata),
        node_collection_id=taxonomy.node_collection_id,
        vector_name=taxonomy.vector_name,
        enrichment_target_field=taxonomy.target_field,
        min_score=taxonomy.min_score,
        node_count=state.node_count,
    )


def _node(node: TaxonomyNode) -> taxonomy_pb2.TaxonomyNode:
    group, members = node.payload.get("cluster_id"), node.payload.get("member_count")
    return taxonomy_pb2.TaxonomyNode(
        node_document_id=node.node_id,
        node_label=node.label,
        cluster_id=group if isinstance(group, str) else None,
        member_count=int(members) if isinstance(members, (int, float)) else None,
        node_id=node.node_id,
        label=node.label,
        path=node.path,
        parent_id=node.parent_id,
        level=node.level,
    )


def stats_message(stats: TaxonomyListStats) -> pb.TaxonomyListStats:
    """Return the figures of a list."""
    return pb.TaxonomyListStats(
        total_taxonomies=stats.total,
        flat_taxonomies=stats.total - stats.hierarchical,
        hierarchical_taxonomies=stats.hierarchical,
        taxonomies_with_retrievers=stats.total,
    )


def promotion_message(promotion: Promotion) -> pb.CreateTaxonomyFromDocumentsResponse:
    """Return the nodes that were made."""
    taxonomy, promoted = promotion.taxonomy, promotion.promoted
    first = promoted.nodes[0]
    return pb.CreateTaxonomyFromDocumentsResponse(
        taxonomy_id=taxonomy.taxonomy_id,
        taxonomy_name=taxonomy.taxonomy_name,
        node_document_id=first.node_id,
        node_collection_id=taxonomy.node_collection_id,
        node_label=first.label,
        vector_name=taxonomy.vector_name,
        vector_dimensions=promoted.config.dimension,
        documents_used=promoted.documents_used,
        documents_skipped=[
            pb.SkippedDocument(collection_id=one.collection_id, document_id=one.document_id, reason=one.reason)
            for one in promoted.skipped
        ],
        taxonomy_created=promotion.is_new,
        retriever_id=retriever_of(taxonomy.node_collection_id),
        enrichment_hint=_hint(taxonomy),
        nodes=[
            pb.PromotedNode(
                node_document_id=one.node_id,
                node_label=one.label,
                cluster_id=one.fields["cluster_id"],
                member_count=one.fields["member_count"],
            )
            for one in (promoted.nodes if promoted.is_run else ())
        ],
    )


def _hint(taxonomy: Taxonomy) -> str:
    near = f" at least {taxonomy.min_score:g} near" if taxonomy.min_score else ""
    return (
        f"A document whose vector {taxonomy.vector_name!r} is{near or ' nearest'} to a node gets its label as"
        f" {taxonomy.target_field!r}: at once with POST /v1/collections/{{collection}}/apply-taxonomy, and whenever"
        " documents are stored into a collection that names the taxonomy in its taxonomy_applications."
    )


def documents_of(body: pb.ExecuteTaxonomyBody) -> list[JsonObject]:
    """Return the documents that were sent.

    Raises `InvalidFields` for what is asked of a whole collection, and for a search of the caller's own.
    """
    if (retriever := plain(body.retriever)) is not None:
        message = "cannot be set: nodes are matched by the vector search of their collection"
        raise InvalidFields.field("body", "retriever", message=message, value=retriever)
    if body.join_mode == JoinMode.BATCH:
        message = "must be on_demand; POST /v1/collections/{collection}/apply-taxonomy classifies a collection"
        raise InvalidFields.field("body", "join_mode", message=message, value=body.join_mode)
    if not body.source_documents:
        message = "must hold at least one document; apply-taxonomy classifies a collection"
        raise InvalidFields.field("body", "source_documents", message=message, kind="missing")
    return [plain_object(one) for one in body.source_documents]


def found_message(taxonomy: Taxonomy, found: Sequence[ClassifiedDocument]) -> pb.ExecuteTaxonomyResponse:
    """Return what a classification found."""
    matched = [one for one in found if one.assignments]
    return pb.ExecuteTaxonomyResponse(
        stats=pb.TaxonomyJoinStats(
            processed_docs=len(found),
            batches=1,
            errors=sum(not one.has_vector for one in found),
            enriched=len(matched),
        ),
        results=[to_struct({**one.document, **one.values}) for one in found],
        matches=[match for one in matched for match in _matches(taxonomy, one)],
    )


def _matches(taxonomy: Taxonomy, found: ClassifiedDocument) -> list[pb.TaxonomyMatch]:
    document_id = found.document.get("document_id")
    return [
        pb.TaxonomyMatch(
            document_id=document_id if isinstance(document_id, str) else None,
            taxonomy_id=taxonomy.taxonomy_id,
            taxonomy_name=taxonomy.taxonomy_name,
            node_id=one.node.node_id,
            label=one.node.label,
            score=one.score,
            path=one.node.path,
            hierarchy_level=one.node.level,
            enriched_fields=sorted(found.values),
        )
        for one in found.assignments
    ]


def started_message(started: StartedClassification, request: pb.ApplyTaxonomyRequest) -> pb.ApplyTaxonomyResponse:
    """Return what was begun."""
    idle = f"parallelism {request.parallelism} does not apply: batches are written one after another"
    return pb.ApplyTaxonomyResponse(
        task_id=started.job.job_id,
        status=started.job.state.value,
        collection_id=started.collection_id,
        taxonomy_id=started.enrichment.cluster_id,
        estimated_documents=started.documents,
        enrichment_id=started.enrichment.enrichment_id,
        warnings=[idle] if request.parallelism > _PARALLELISM else [],
    )
