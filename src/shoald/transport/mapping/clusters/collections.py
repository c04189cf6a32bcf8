"""Collections as messages, and requests about them as what the use case takes."""

from __future__ import annotations

from shoal.clusters.v1 import collection_pb2, collection_service_pb2

from shoald.application.collections import NewCollection
from shoald.domain.records.collection import Collection
from shoald.transport.json_values import plain_object, to_struct
from shoald.transport.mapping.clusters.namespaces import vector_config_message, vector_configs_of
from shoald.transport.mapping.clusters.times import to_timestamp

_OWN_VECTORS = ("byo_vectors", "v1")
_SOURCE_TYPE = "bucket"


def to_message(collection: Collection) -> collection_pb2.Collection:
    """Return a collection as it is shown; clients insist on an extractor and a source."""
    return collection_pb2.Collection(
        collection_id=collection.collection_id,
        collection_name=collection.collection_name,
        description=collection.description,
        namespace_id=collection.namespace_id,
        feature_extractor=_extractor(collection),
        source=collection_pb2.CollectionSource(type=_SOURCE_TYPE),
        vector_configs=map(vector_config_message, collection.vector_configs),
        index_id=collection.index_id,
        document_count=collection.document_count,
        is_ready=True,
        metadata=to_struct(collection.metadata),
        created_at=to_timestamp(collection.created_at),
        updated_at=to_timestamp(collection.updated_at),
    )


def new_collection_of(request: collection_service_pb2.CreateCollectionRequest) -> NewCollection:
    """Return what a request says of a new collection."""
    return NewCollection(
        collection_name=request.collection_name,
        description=request.description if request.HasField("description") else None,
        vector_configs=vector_configs_of(request.vector_configs),
        metadata=plain_object(request.metadata),
    )


def _extractor(collection: Collection) -> collection_pb2.FeatureExtractor:
    """Return who made the vectors, from the feature URI `shoal://<embedder>@<version>/embedding`."""
    uri = next((config.feature_uri for config in collection.vector_configs if config.feature_uri), None) or ""
    made_by = uri.partition("://")[2].rpartition("/")[0]
    name, separator, version = made_by.rpartition("@")
    if not separator:
        name, version = _OWN_VECTORS
    return collection_pb2.FeatureExtractor(
        feature_extractor_name=name, version=version, feature_extractor_id=f"{name}_{version}"
    )
