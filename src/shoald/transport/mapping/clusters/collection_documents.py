"""Documents as free JSON objects and as typed messages, and requests about them as what the use case takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from google.protobuf.struct_pb2 import Struct
from shoal.clusters.v1 import collection_document_pb2, collection_document_service_pb2

from shoald.application.collection_documents import Import, Imported, Upsert, Upserted
from shoald.application.document_reading import ReadDocument
from shoald.application.document_vectors import IncomingDocument
from shoald.domain.failures import InvalidFields, InvalidVectors
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import CollectionDocument, SparseVector
from shoald.transport.json_values import plain, plain_object, to_struct, to_value
from shoald.transport.mapping.clusters.times import to_timestamp

_IMMEDIATE = "immediate"


def to_struct_message(read: ReadDocument, select: Sequence[str] = ()) -> Struct:
    """Return a document as its JSON: the payload's keys at the root, beside its own."""
    payload = _chosen(read.document.payload, select) if select else read.document.payload
    return to_struct({**payload, **_own_keys(read)})


def _chosen(payload: JsonObject, select: Sequence[str]) -> dict[str, Any]:
    """Return the fields at these paths, each in the objects that it lies in."""
    chosen: dict[str, Any] = {}
    for name in select:
        words = name.split(".")
        source, target = payload, chosen
        for word in words[:-1]:
            inner = source.get(word)
            if not isinstance(inner, Mapping):
                break
            source, target = inner, target.setdefault(word, {})
        else:
            if words[-1] in source:
                target[words[-1]] = source[words[-1]]
    return chosen


def _own_keys(read: ReadDocument) -> JsonObject:
    document = read.document
    own: dict[str, Any] = {name: _as_json(vector) for name, vector in read.vectors.items()}
    if read.vector_names is not None:
        own["_vectors"] = list(read.vector_names)
    if read.expanded is not None:
        own["_expanded"] = {name: _expanded(named) for name, named in read.expanded.items()}
    return {
        **own,
        "_internal": {
            "created_at": document.created_at.isoformat().replace("+00:00", "Z"),
            "updated_at": document.updated_at.isoformat().replace("+00:00", "Z"),
        },
        "document_id": document.document_id,
        "collection_id": document.collection_id,
    }


def _expanded(named: Any) -> Any:
    if isinstance(named, CollectionDocument):
        return {**named.payload, **_own_keys(ReadDocument(named))}
    return named if named is None else [_expanded(one) for one in named]


def _as_json(vector: Any) -> Any:
    """Return a vector as upserts take it."""
    if isinstance(vector, SparseVector):
        return {"indices": vector.indices.tolist(), "values": _shortest(vector.values.tolist())}
    if vector.ndim > 1:
        return [_shortest(row) for row in vector.tolist()]
    return _shortest(vector.tolist())


def _shortest(values: list[float]) -> list[float]:
    """Return the numbers with the shortest texts that read back as the same 32-bit ones."""
    return [float(f"{value:.9g}") for value in values]


def to_message(read: ReadDocument) -> collection_document_pb2.CollectionDocument:
    """Return a document, typed."""
    document = read.document
    message = collection_document_pb2.CollectionDocument(
        document_id=document.document_id,
        collection_id=document.collection_id,
        payload=to_struct(document.payload),
        created_at=to_timestamp(document.created_at),
        updated_at=to_timestamp(document.updated_at),
    )
    for name, vector in read.vectors.items():
        _add_vector(message, name, vector)
    return message


def _add_vector(message: collection_document_pb2.CollectionDocument, name: str, vector: Any) -> None:
    if isinstance(vector, SparseVector):
        message.sparse_vectors[name].indices.extend(vector.indices.tolist())
        message.sparse_vectors[name].values.extend(vector.values.tolist())
    elif vector.ndim > 1:
        message.multi_vectors[name].dimension = vector.shape[1]
        message.multi_vectors[name].values.extend(vector.reshape(-1).tolist())
    else:
        message.vectors[name].values.extend(vector.tolist())


def upsert_of(request: collection_document_service_pb2.UpsertDocumentsRequest) -> Upsert:
    """Return what a request stores."""
    options = request.options
    return Upsert(
        namespace=request.namespace_id,
        collection=request.collection_id if request.HasField("collection_id") else None,
        documents=[_incoming(document) for document in request.documents],
        write_token=options.write_token if options.HasField("write_token") else None,
        idempotency_key=options.idempotency_key if options.HasField("idempotency_key") else None,
    )


def _incoming(document: collection_document_service_pb2.UpsertDocument) -> IncomingDocument:
    payload = plain_object(document.payload)
    if document.HasField("metadata"):
        payload["metadata"] = plain_object(document.metadata)
    vectors = {name: plain(value) for name, value in document.vectors.items()}
    packed = {name: np.asarray(one.values, dtype=np.float32) for name, one in document.dense_vectors.items()}
    sparse = {name: _sparse(one) for name, one in document.sparse_vectors.items()}
    rows = {name: _rows(name, document.document_id, one) for name, one in document.multi_vectors.items()}
    return IncomingDocument(document.document_id, payload, {**vectors, **packed, **sparse, **rows})


def _sparse(message: collection_document_pb2.SparseVector) -> JsonObject:
    return {"indices": np.asarray(message.indices, dtype=np.int64), "values": np.asarray(message.values, np.float32)}


def _rows(name: str, document_id: str, message: collection_document_pb2.MultiVector) -> Any:
    """Return a packed multi-vector as (t, d); raises `InvalidVectors` when its numbers are no whole rows."""
    width, count = message.dimension, len(message.values)
    if width < 1 or count % width:
        problem = f"has {count} numbers in rows of {width}"
        detail = {"document_id": document_id, "vector": name}
        raise InvalidVectors(f"The vector {name!r} of document {document_id!r} {problem}.", detail=detail)
    return np.asarray(message.values, dtype=np.float32).reshape(-1, width)


def upserted_message(answer: Upserted) -> collection_document_service_pb2.UpsertDocumentsResponse:
    """Return what was stored."""
    return collection_document_service_pb2.UpsertDocumentsResponse(
        inserted=len(answer.document_ids),
        document_ids=answer.document_ids,
        collection_id=answer.collection_id,
        write_token=answer.write_token,
        dropped_payload_fields={
            name: to_value(list(keys)).list_value for name, keys in answer.dropped_payload_fields.items()
        },
        unsearchable_document_ids=answer.unsearchable_document_ids,
        consistency=collection_document_service_pb2.WriteConsistency(
            retriever_visible=_IMMEDIATE, write_token_available=answer.write_token is not None
        ),
        warnings=answer.warnings,
    )


def import_of(info: collection_document_service_pb2.ImportInfo) -> Import:
    """Return where an import goes."""
    return Import(namespace=info.namespace_id or None, collection=info.collection_id or None, replace=info.replace)


def arrow_pieces(
    requests: Iterable[collection_document_service_pb2.ImportDocumentsRequest],
) -> Iterator[bytes]:
    """Yield the bytes of an import; raises `InvalidFields` when another description comes among them."""
    for request in requests:
        if request.WhichOneof("part") != "arrow":
            raise InvalidFields.field("body", "info", message="only the first message has it")
        yield request.arrow


def imported_message(answer: Imported) -> collection_document_service_pb2.ImportDocumentsResponse:
    """Return what an import has stored."""
    return collection_document_service_pb2.ImportDocumentsResponse(
        inserted=answer.inserted, collection_id=answer.collection_id, warnings=answer.warnings
    )
