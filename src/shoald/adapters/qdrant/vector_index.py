"""Vector search by Qdrant: one collection per build, named by us; a server or the owner process answers alike."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import grpc
import numpy as np
import numpy.typing as npt
from qdrant_client import QdrantClient
from qdrant_client import grpc as messages
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse

from shoald.application.ports.vector_index import StoredVectors, VectorHit
from shoald.domain.failures import Broken, DataCorrupt, Failure, InvalidIndexConfig, StorageFull, Unavailable
from shoald.domain.index_config import IndexShape, build_of, read_config, refuse_kind, storage_name
from shoald.domain.json_types import JsonObject
from shoald.domain.retrieval.nearest import Candidates, nearest
from shoald.domain.retrieval.oversampling import oversampled
from shoald.domain.vocabulary import IndexKind

_Answer = TypeVar("_Answer")
_EXACT_UP_TO = 100_000
_KINDS = (IndexKind.AUTO, IndexKind.FLAT, IndexKind.HNSW)
_WIDE_SEARCH = 128
_BATCH_BYTES = 2 << 20
_LARGEST_BATCH = 512
_ANSWER_BYTES = 16 << 20
_DEFAULT_PORT = 6334
_TRIES = 4
_FIRST_WAIT = 0.1
_CALL_SECONDS = 10.0
_WRITE_SECONDS = 60.0
_MAY_PASS = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED})


class QdrantVectorIndex:
    """Builds and searches collections of one Qdrant.

    Point ids are positions, so equal scores can be ordered; each point's payload holds its item's id, for people who
    look into their Qdrant. The option `collection_name` becomes part of the name, which is never the caller's alone.
    A server makes graphs as it sees fit: the kind `flat` is never searched through them, `hnsw` always. The owner
    process has none, and compares all.
    """

    def __init__(self, url: str, *, api_key: str | None = None) -> None:
        self._address = urlsplit(url)
        self._api_key = api_key
        self._lock = threading.Lock()
        self._client: QdrantClient | None = None

    def build(
        self,
        build_id: str,
        ids: Sequence[str],
        vectors: npt.NDArray[np.float32],
        *,
        attempt: int,
        config: JsonObject,
        progress: Callable[[float], None],
    ) -> JsonObject:
        """Fill a new collection and count what it holds; what earlier attempts at this build left goes first."""
        if len(ids) != len(vectors):
            raise ValueError("as many ids as vectors")
        wanted = read_config(config)
        kind = _kind(wanted.shape, len(vectors))
        for earlier in range(1, attempt):
            self.drop({"collection_name": storage_name(wanted.collection_name, build_id, earlier)})
        manifest = {
            "provider": "qdrant",
            "collection_name": storage_name(wanted.collection_name, build_id, attempt),
            "points": len(vectors),
            "vectors": len(vectors),
            "dimension": int(vectors.shape[1]),
            "metric": "cosine",
            "kind": kind,
            "exact": kind == IndexKind.FLAT,
            **_numbers(wanted.shape),
        }
        try:
            self._fill(manifest, ids, vectors, progress)
        except BaseException:
            with contextlib.suppress(Failure):  # what went wrong first is what is told
                self.drop(manifest)
            raise
        return manifest

    def search(
        self,
        manifest: JsonObject,
        query: npt.NDArray[np.float32],
        *,
        k: int,
        with_vectors: bool = False,
        allowed: npt.NDArray[np.int64] | None = None,
    ) -> tuple[list[VectorHit], npt.NDArray[np.float32] | None]:
        """Ask for the nearest; vectors come too, so that ties can be ordered."""
        if query.shape != (manifest["dimension"],):
            raise InvalidIndexConfig(
                f"The query has {query.size} dimensions, the index {manifest['dimension']}: was the embedder changed?"
            )
        n = int(manifest["vectors"]) if allowed is None else len(allowed)
        if k < 1 or not n:
            return [], np.empty((0, query.size), np.float32) if with_vectors else None

        def fetch(m: int) -> Candidates:
            if allowed is None:
                return self._candidates(manifest, query, m)
            return self._candidates_among(manifest, query, allowed, m)

        positions, scores, rows = nearest(query, fetch, k=k, n=n)
        hits = [VectorHit(int(position), float(score)) for position, score in zip(positions, scores, strict=True)]
        return hits, rows if with_vectors else None

    def stored(self) -> Iterator[StoredVectors]:
        """Name every collection that is called as builds call theirs."""
        request = messages.ListCollectionsRequest()
        found = self._call(lambda client: client.grpc_collections.List(request, timeout=_CALL_SECONDS))
        for collection in found.collections:
            if build_id := build_of(collection.name):
                yield StoredVectors(build_id, {"collection_name": collection.name})

    def drop(self, manifest: JsonObject) -> None:
        """Remove the collection."""
        request = messages.DeleteCollection(collection_name=manifest["collection_name"])
        self._call(lambda client: client.grpc_collections.Delete(request, timeout=_WRITE_SECONDS))

    def check(self) -> None:
        """Raise `Unavailable` when Qdrant does not answer."""
        request = messages.ListCollectionsRequest()
        self._call(lambda client: client.grpc_collections.List(request, timeout=_CALL_SECONDS))

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _fill(
        self,
        manifest: JsonObject,
        ids: Sequence[str],
        vectors: npt.NDArray[np.float32],
        progress: Callable[[float], None],
    ) -> None:
        name, n = manifest["collection_name"], len(vectors)
        self._create(name, manifest)
        for start, points in _batches(ids, vectors):
            self._points("Upsert", messages.UpsertPoints(collection_name=name, wait=True, points=points))
            progress(0.95 * (start + len(points)) / n)
        counted = self._points("Count", messages.CountPoints(collection_name=name, exact=True)).result.count
        if counted != n:
            raise Broken(f"Qdrant holds {counted} points of {n}.", detail={"collection_name": name})
        progress(1.0)

    def _create(self, name: str, manifest: JsonObject) -> None:
        """Make the collection anew: one of this name can only be what an earlier try of this attempt left."""
        params = messages.VectorParams(size=manifest["dimension"], distance=messages.Distance.Cosine)
        graph = messages.HnswConfigDiff(m=manifest.get("hnsw_m"), ef_construct=manifest.get("hnsw_ef_construction"))
        request = messages.CreateCollection(
            collection_name=name, vectors_config=messages.VectorsConfig(params=params), hnsw_config=graph
        )
        leftover = messages.DeleteCollection(collection_name=name)

        def make(client: QdrantClient) -> None:
            client.grpc_collections.Delete(leftover, timeout=_WRITE_SECONDS)
            client.grpc_collections.Create(request, timeout=_WRITE_SECONDS)

        self._call(make)

    def _candidates(
        self, manifest: JsonObject, query: npt.NDArray[np.float32], m: int, *, only: messages.Filter | None = None
    ) -> Candidates:
        """Return the m nearest; vectors that do not fit into one answer are asked for by the points' ids."""
        most = max(1, _ANSWER_BYTES // (4 * query.size))
        request = _query(manifest, query.tolist(), m, with_vectors=m <= most)
        if only is not None:
            request.filter.CopyFrom(only)
            # a graph whose links lead past most points finds too few of those that are left
            request.params.CopyFrom(messages.SearchParams(exact=True))
        found = self._points("Query", request).result
        points = found if m <= most else self._with_vectors(manifest, [hit.id for hit in found], most)
        rows = np.array([_dense(point.vectors.vector) for point in points], np.float32).reshape(-1, query.size)
        return np.fromiter((point.id.num for point in points), np.int64, len(points)), rows

    def _candidates_among(
        self, manifest: JsonObject, query: npt.NDArray[np.float32], allowed: npt.NDArray[np.int64], m: int
    ) -> Candidates:
        """Return the m nearest of some positions.

        Where many are allowed, the nearest of all hold enough of them; else Qdrant is told which ones, or which not.
        """
        n = int(manifest["vectors"])
        found = oversampled(lambda asked: self._candidates(manifest, query, asked), allowed, m, n=n)
        if found is not None:
            return found
        return self._candidates(manifest, query, m, only=_only(allowed, n))

    def _with_vectors(
        self, manifest: JsonObject, ids: Sequence[messages.PointId], most: int
    ) -> list[messages.RetrievedPoint]:
        points: list[messages.RetrievedPoint] = []
        for start in range(0, len(ids), most):
            request = messages.GetPoints(
                collection_name=manifest["collection_name"],
                ids=ids[start : start + most],
                with_vectors=messages.WithVectorsSelector(enable=True),
                with_payload=messages.WithPayloadSelector(enable=False),
            )
            points.extend(self._points("Get", request).result)
        return points

    def _points(self, method: str, request: Any) -> Any:
        seconds = _WRITE_SECONDS if method == "Upsert" else _CALL_SECONDS
        return self._call(lambda client: getattr(client.grpc_points, method)(request, timeout=seconds))

    def _call(self, call: Callable[[QdrantClient], _Answer]) -> _Answer:
        """Call, and again while Qdrant cannot be reached: every call that is made here may be made twice."""
        for tried in range(1, _TRIES + 1):
            try:
                return call(self._opened())
            except ResourceExhaustedResponse as error:
                if tried == _TRIES:
                    raise Unavailable("Qdrant takes no more calls.") from error
            except grpc.RpcError as error:
                if error.code() not in _MAY_PASS or tried == _TRIES:
                    raise _failure(error) from error
            time.sleep(_FIRST_WAIT * 2 ** (tried - 1))
        raise AssertionError

    def _opened(self) -> QdrantClient:
        with self._lock:
            if self._client is None:
                self._client = QdrantClient(
                    host=self._address.hostname,
                    grpc_port=self._address.port or _DEFAULT_PORT,
                    https=self._address.scheme == "https",
                    # as a header: given as a key, the client warns of every address that is not https
                    headers={"api-key": self._api_key} if self._api_key else None,
                    prefer_grpc=True,
                    check_compatibility=False,
                )
            return self._client


def _kind(shape: IndexShape, n: int) -> str:
    if shape.kind not in _KINDS:
        raise refuse_kind(shape.kind, *_KINDS)
    if shape.kind != IndexKind.AUTO:
        return shape.kind
    return IndexKind.FLAT if n <= _EXACT_UP_TO else IndexKind.HNSW


def _numbers(shape: IndexShape) -> dict[str, int]:
    given = {name: getattr(shape, name) for name in ("hnsw_m", "hnsw_ef_construction", "hnsw_ef_search")}
    return {name: number for name, number in given.items() if number is not None}


def _only(allowed: npt.NDArray[np.int64], n: int) -> messages.Filter:
    """Return a filter of the shorter list: of what may come, or of what may not."""
    others = len(allowed) > n // 2
    listed = np.setdiff1d(np.arange(n), allowed, assume_unique=True) if others else allowed
    ids = [messages.PointId(num=position) for position in listed.tolist()]
    condition = messages.Condition(has_id=messages.HasIdCondition(has_id=ids))
    return messages.Filter(must_not=[condition]) if others else messages.Filter(must=[condition])


def _batches(ids: Sequence[str], vectors: npt.NDArray[np.float32]) -> Iterator[tuple[int, list[messages.PointStruct]]]:
    size = max(1, min(_LARGEST_BATCH, _BATCH_BYTES // max(1, 4 * vectors.shape[1])))
    for start in range(0, len(vectors), size):
        rows = vectors[start : start + size].tolist()
        yield start, [_point(start + number, ids[start + number], row) for number, row in enumerate(rows)]


def _point(position: int, item_id: str, row: list[float]) -> messages.PointStruct:
    vector = messages.Vector(dense=messages.DenseVector(data=row))
    return messages.PointStruct(
        id=messages.PointId(num=position),
        vectors=messages.Vectors(vector=vector),
        payload={"chunk_item_id": messages.Value(string_value=item_id)},
    )


def _query(manifest: JsonObject, values: list[float], m: int, *, with_vectors: bool) -> messages.QueryPoints:
    exact, wide = bool(manifest["exact"]), int(manifest.get("hnsw_ef_search") or _WIDE_SEARCH)
    nearest_to = messages.VectorInput(dense=messages.DenseVector(data=values))
    return messages.QueryPoints(
        collection_name=manifest["collection_name"],
        query=messages.Query(nearest=nearest_to),
        limit=m,
        params=messages.SearchParams(exact=exact, hnsw_ef=None if exact else max(2 * m, wide)),
        with_vectors=messages.WithVectorsSelector(enable=with_vectors),
        with_payload=messages.WithPayloadSelector(enable=False),
    )


def _dense(vector: messages.VectorOutput) -> Sequence[float]:
    """Return a vector from its present or, by servers before 1.16, its older place in the answer."""
    return vector.dense.data if vector.HasField("dense") else vector.data


def _failure(error: Any) -> Failure:
    status, text = error.code(), str(error.details())
    if status == grpc.StatusCode.NOT_FOUND:
        return DataCorrupt("The Qdrant collection of this build is gone: build the index again.")
    if "No space left" in text:
        return StorageFull("Qdrant's storage is full.")
    if status in _MAY_PASS or status == grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable("Qdrant does not answer.")
    if status in {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}:
        return Unavailable("Qdrant refuses the key: see SHOAL_QDRANT_API_KEY.")
    return Broken(f"Qdrant refuses: {text[:300]}", detail={"status": status.name})
