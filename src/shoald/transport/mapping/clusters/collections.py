"""Collections as messages, and requests about them as what the use case takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shoal.clusters.v1 import collection_pb2, collection_service_pb2

from shoald.application.collections import CollectionChanges, CollectionClone, NewCollection
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import CollectionSourceType
from shoald.domain.records.collection import Collection, VectorConfig
from shoald.domain.records.payload_index import DeclaredIndex
from shoald.domain.vocabulary import VectorKind, VectorMetric
from shoald.transport.json_values import plain, plain_object, to_struct, to_value
from shoald.transport.mapping.clusters.namespaces import vector_config_message, vector_configs_of
from shoald.transport.mapping.clusters.times import to_timestamp

_OWN_VECTORS = ("byo_vectors", "v1")
_SOURCE_TYPE = CollectionSourceType.BUCKET.value
_TYPES = {VectorKind.SPARSE: "sparse", VectorKind.MULTI_VECTOR: "multi_dense"}
_DISTANCES = {VectorMetric.DOT_PRODUCT: "dot"}


def to_message(
    collection: Collection, indexes: Sequence[DeclaredIndex] = (), taxonomies: Sequence[JsonObject] = ()
) -> collection_pb2.Collection:
    """Return a collection as it is shown, with the payload indexes of its namespace and the taxonomies it is given.

    Clients insist on an extractor and a source.
    """
    message = collection_pb2.Collection(
        collection_id=collection.collection_id,
        collection_name=collection.collection_name,
        description=collection.description,
        namespace_id=collection.namespace_id,
        feature_extractor=_extractor(collection),
        source=_source(collection.source),
        vector_configs=map(vector_config_message, collection.vector_configs),
        index_id=collection.index_id,
        document_count=collection.document_count,
        is_ready=True,
        metadata=to_struct(collection.metadata),
        created_at=to_timestamp(collection.created_at),
        updated_at=to_timestamp(collection.updated_at),
    )
    if indexes:
        shown = [{"field_name": one.field_name, "state": one.state} for one in indexes]
        message.payload_indexes.CopyFrom(to_value(shown).list_value)
    if taxonomies:
        message.taxonomy_applications.CopyFrom(to_value([dict(one) for one in taxonomies]).list_value)
    return message


def new_collection_of(request: collection_service_pb2.CreateCollectionRequest) -> NewCollection:
    """Return what a request says of a new collection."""
    _refuse_applications(request)
    return NewCollection(
        collection_name=request.collection_name,
        description=request.description if request.HasField("description") else None,
        vector_configs=vector_configs_of(request.vector_configs),
        metadata=plain_object(request.metadata),
        source=_source_of(request) or {},
        feature_extractor=_extractor_of(request) or {},
        taxonomy_applications=_applications_of(request) or (),
    )


def changes_of(request: collection_service_pb2.UpdateCollectionRequest) -> CollectionChanges:
    """Return what changes in a collection."""
    _refuse_applications(request)
    return CollectionChanges(
        collection_name=request.collection_name if request.HasField("collection_name") else None,
        description=request.description if request.HasField("description") else None,
        metadata=plain_object(request.metadata) if request.HasField("metadata") else None,
        taxonomy_applications=_applications_of(request),
    )


def clone_of(request: collection_service_pb2.CloneCollectionRequest) -> CollectionClone:
    """Return what a clone is."""
    _refuse_applications(request)
    return CollectionClone(
        collection_name=request.collection_name,
        description=request.description if request.HasField("description") else None,
        metadata=plain_object(request.metadata) if request.HasField("metadata") else None,
        source=_source_of(request),
        feature_extractor=_extractor_of(request),
        taxonomy_applications=_applications_of(request),
    )


def _applications_of(
    request: collection_service_pb2.CreateCollectionRequest
    | collection_service_pb2.UpdateCollectionRequest
    | collection_service_pb2.CloneCollectionRequest,
) -> list[Any] | None:
    """Return the taxonomies that are attached; None where nothing is said of them."""
    if not request.HasField("taxonomy_applications"):
        return None
    return [plain(one) for one in request.taxonomy_applications.values]


def _refuse_applications(
    request: collection_service_pb2.CreateCollectionRequest
    | collection_service_pb2.UpdateCollectionRequest
    | collection_service_pb2.CloneCollectionRequest,
) -> None:
    """Raise `InvalidFields` for clusters that a collection would run: here a cluster says so itself."""
    if request.cluster_applications:
        message = "cannot be set here; set auto_execute_on_batch of each cluster instead"
        asked = [plain_object(one) for one in request.cluster_applications]
        raise InvalidFields.field("body", "cluster_applications", message=message, value=asked)


def features_message(collection: Collection) -> collection_service_pb2.ListCollectionFeaturesResponse:
    """Return the named vectors of a collection as features."""
    features = [_feature(collection, config) for config in collection.vector_configs]
    return collection_service_pb2.ListCollectionFeaturesResponse(features=features)


def _feature(collection: Collection, config: VectorConfig) -> collection_service_pb2.CollectionFeature:
    extractor = _extractor(collection)
    uri = config.feature_uri or f"mixpeek://{extractor.feature_extractor_name}@{extractor.version}/{config.name}"
    return collection_service_pb2.CollectionFeature(
        feature_address=uri,
        feature_extractor_name=extractor.feature_extractor_name,
        version=extractor.version,
        vector_index=collection_service_pb2.FeatureVectorIndex(
            name=config.name,
            description=f"The vector {config.name!r} of each document, compared by {config.metric}.",
            dimensions=config.dimension,
            type=_TYPES.get(VectorKind(config.kind), "dense"),
            distance=_DISTANCES.get(VectorMetric(config.metric), config.metric),
        ),
        primary=len(collection.vector_configs) == 1,
        feature_uri=uri,
    )


def _source_of(
    request: collection_service_pb2.CreateCollectionRequest | collection_service_pb2.CloneCollectionRequest,
) -> JsonObject | None:
    if not request.HasField("source"):
        return None
    source = request.source
    said = {
        "type": source.type,
        "bucket_ids": list(source.bucket_ids),
        "collection_id": source.collection_id,
        "collection_ids": list(source.collection_ids),
    }
    return {name: value for name, value in said.items() if value}


def _source(source: JsonObject) -> collection_pb2.CollectionSource:
    lists = {name: to_value(source[name]).list_value for name in ("bucket_ids", "collection_ids") if name in source}
    return collection_pb2.CollectionSource(
        type=source.get("type", _SOURCE_TYPE), collection_id=source.get("collection_id"), **lists
    )


def _extractor_of(
    request: collection_service_pb2.CreateCollectionRequest | collection_service_pb2.CloneCollectionRequest,
) -> JsonObject | None:
    if not request.HasField("feature_extractor"):
        return None
    said = request.feature_extractor
    return {"name": said.feature_extractor_name, "version": said.version or _OWN_VECTORS[1]}


def _extractor(collection: Collection) -> collection_pb2.FeatureExtractor:
    """Return who made the vectors: by the feature URI `shoal://<embedder>@<version>/embedding`, else as was said."""
    uri = next((config.feature_uri for config in collection.vector_configs if config.feature_uri), None) or ""
    made_by = uri.partition("://")[2].rpartition("/")[0]
    name, separator, version = made_by.rpartition("@")
    if not separator:
        said = collection.feature_extractor
        name, version = (said["name"], said["version"]) if said else _OWN_VECTORS
    return collection_pb2.FeatureExtractor(
        feature_extractor_name=name, version=version, feature_extractor_id=f"{name}_{version}"
    )
