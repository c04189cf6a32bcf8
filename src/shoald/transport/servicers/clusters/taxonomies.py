"""Taxonomies over gRPC."""

from __future__ import annotations

import grpc
from shoal.clusters.v1 import enrichment_pb2, taxonomy_pb2, taxonomy_service_pb2_grpc
from shoal.clusters.v1 import taxonomy_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.classifying import Classifying
from shoald.application.taxonomies import Taxonomies
from shoald.application.taxonomy_making import TaxonomyMaking
from shoald.transport.callers import caller_of
from shoald.transport.json_values import plain_object
from shoald.transport.mapping.clusters import enrichments
from shoald.transport.mapping.clusters import taxonomies as mapping
from shoald.transport.mapping.clusters.lists import list_query, pagination


class TaxonomyServicer(taxonomy_service_pb2_grpc.TaxonomyServiceServicer):
    """Hands requests to `Taxonomies`, `TaxonomyMaking` and `Classifying`."""

    def __init__(
        self, access: Access, taxonomies: Taxonomies, making: TaxonomyMaking, classifying: Classifying
    ) -> None:
        self._access = access
        self._taxonomies = taxonomies
        self._making = making
        self._classifying = classifying

    def CreateTaxonomy(self, request: pb.CreateTaxonomyRequest, context: grpc.ServicerContext) -> taxonomy_pb2.Taxonomy:
        """Make one of a configuration."""
        caller, new = caller_of(self._access, context), mapping.new_taxonomy_of(request)
        return mapping.to_message(self._making.create(caller, new, plain_object(request.config)))

    def CreateTaxonomyFromDocuments(
        self, request: pb.CreateTaxonomyFromDocumentsRequest, context: grpc.ServicerContext
    ) -> pb.CreateTaxonomyFromDocumentsResponse:
        """Make one with its nodes."""
        caller, new = caller_of(self._access, context), mapping.new_taxonomy_of(request)
        return mapping.promotion_message(self._taxonomies.promote(caller, new, mapping.promotion_of(request)))

    def CreateTaxonomyNodes(
        self, request: pb.CreateTaxonomyNodesRequest, context: grpc.ServicerContext
    ) -> pb.CreateTaxonomyFromDocumentsResponse:
        """Add nodes to one."""
        caller, asked = caller_of(self._access, context), mapping.promotion_of(request)
        return mapping.promotion_message(self._taxonomies.add_nodes(caller, request.taxonomy_identifier, asked))

    def ListTaxonomies(
        self, request: pb.ListTaxonomiesRequest, context: grpc.ServicerContext
    ) -> pb.ListTaxonomiesResponse:
        """List those of the namespace."""
        page, stats = self._taxonomies.list(caller_of(self._access, context), list_query(request))
        return pb.ListTaxonomiesResponse(
            results=map(mapping.to_message, page.items),
            pagination=pagination(page),
            total_count=stats.total,
            stats=mapping.stats_message(stats),
        )

    def GetTaxonomy(self, request: pb.GetTaxonomyRequest, context: grpc.ServicerContext) -> taxonomy_pb2.Taxonomy:
        """Get one."""
        caller, version = caller_of(self._access, context), request.version or None
        return mapping.to_message(self._taxonomies.get(caller, request.taxonomy_identifier, version))

    def UpdateTaxonomy(self, request: pb.UpdateTaxonomyRequest, context: grpc.ServicerContext) -> taxonomy_pb2.Taxonomy:
        """Change what is said of one."""
        caller, changes = caller_of(self._access, context), mapping.changes_of(request)
        return mapping.to_message(self._taxonomies.update(caller, request.taxonomy_identifier, changes))

    def DeleteTaxonomy(
        self, request: pb.DeleteTaxonomyRequest, context: grpc.ServicerContext
    ) -> pb.DeleteTaxonomyResponse:
        """Delete one."""
        gone = self._taxonomies.delete(caller_of(self._access, context), request.taxonomy_identifier)
        return pb.DeleteTaxonomyResponse(message=f"Taxonomy {gone.taxonomy_id} is deleted.", success=True)

    def CloneTaxonomy(
        self, request: pb.CloneTaxonomyRequest, context: grpc.ServicerContext
    ) -> pb.CloneTaxonomyResponse:
        """Make one like another."""
        caller, (new, config) = caller_of(self._access, context), mapping.clone_of(request)
        state, source = self._making.clone(caller, request.taxonomy_identifier, new, config)
        return pb.CloneTaxonomyResponse(taxonomy=mapping.to_message(state), source_taxonomy_id=source.taxonomy_id)

    def ExecuteTaxonomy(
        self, request: pb.ExecuteTaxonomyRequest, context: grpc.ServicerContext
    ) -> pb.ExecuteTaxonomyResponse:
        """Classify what is sent."""
        caller, body = caller_of(self._access, context), request.body
        taxonomy, found = self._classifying.try_out(
            caller,
            request.taxonomy_identifier,
            mapping.documents_of(body),
            filters=plain_object(body.scroll_filters) if body.HasField("scroll_filters") else None,
            version=request.version or None,
        )
        return mapping.found_message(taxonomy, found)

    def ApplyTaxonomy(
        self, request: pb.ApplyTaxonomyRequest, context: grpc.ServicerContext
    ) -> pb.ApplyTaxonomyResponse:
        """Begin to classify a collection."""
        caller, asked = caller_of(self._access, context), mapping.classification_of(request)
        return mapping.started_message(self._classifying.apply(caller, request.collection_identifier, asked), request)

    def GetTaxonomyEnrichment(
        self, request: pb.GetTaxonomyEnrichmentRequest, context: grpc.ServicerContext
    ) -> enrichment_pb2.Enrichment:
        """Get how far a classification is."""
        caller = caller_of(self._access, context)
        found = self._classifying.get(caller, request.taxonomy_identifier, request.enrichment_id)
        return enrichments.to_message(found)

    def UndoTaxonomyEnrichment(
        self, request: pb.UndoTaxonomyEnrichmentRequest, context: grpc.ServicerContext
    ) -> enrichment_pb2.Enrichment:
        """Begin to take one back."""
        caller = caller_of(self._access, context)
        found = self._classifying.undo(caller, request.taxonomy_identifier, request.enrichment_id)
        return enrichments.to_message(found)
