"""The rpcs of Qdrant's services Collections, Points and Qdrant that Shoal calls, over `Shards`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message
from qdrant_client import grpc as messages
from qdrant_edge import ScrollRequest, UpdateOperation

from shoald.adapters.qdrant.owner import conversion
from shoald.adapters.qdrant.owner.conversion import NotServedError
from shoald.adapters.qdrant.owner.shards import (
    BadCollectionNameError,
    CollectionExistsError,
    NoRoomError,
    NoSuchCollectionError,
    Shards,
    points_in,
)

_log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer", bound=Message)
_DEFAULT_SCROLL = 10
_MOST_SCROLLED = 10_000
_VERSION = "1.17.0"  # the API that is answered; clients compare it with their own


def answered(context: grpc.ServicerContext, work: Callable[[], _Answer]) -> _Answer:
    """Do the work unless its caller has stopped waiting; end with Qdrant's own status when it cannot be done."""
    remaining = context.time_remaining()
    if not context.is_active() or (remaining is not None and remaining <= 0):
        _end(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the caller's deadline has passed")
    started = time.perf_counter()
    try:
        answer = work()
    except NoSuchCollectionError as error:
        _end(context, grpc.StatusCode.NOT_FOUND, f"Not found: Collection `{error}` doesn't exist!")
    except CollectionExistsError as error:
        _end(context, grpc.StatusCode.ALREADY_EXISTS, f"Collection `{error}` already exists!")
    except BadCollectionNameError:
        _end(context, grpc.StatusCode.INVALID_ARGUMENT, "collection_name: letters, digits, - and _ only")
    except NoRoomError:
        _end(context, grpc.StatusCode.INTERNAL, "No space left on device")
    except NotServedError as error:
        _end(context, grpc.StatusCode.UNIMPLEMENTED, f"not served by Shoal's owner process: {error}")
    except Exception as error:  # noqa: BLE001 - the engine raises nothing but `Exception`, with a text
        status = _status_of(str(error))
        if status == grpc.StatusCode.INTERNAL:
            _log.exception("a call failed")
        _end(context, status, str(error))
    if "time" in answer.DESCRIPTOR.fields_by_name:
        answer.time = time.perf_counter() - started  # type: ignore[attr-defined]
    return answer


class Collections(messages.CollectionsServicer):
    """Makes, names and removes collections."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def Create(self, request: messages.CreateCollection, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Make an empty collection; options for servers of many machines are accepted and mean nothing here."""

        def work() -> messages.CollectionOperationResponse:
            dimension, distance = conversion.to_vector_params(request.vectors_config)
            if request.HasField("sparse_vectors_config"):
                raise NotServedError("CreateCollection.sparse_vectors_config")
            self._shards.create(request.collection_name, dimension=dimension, distance=distance)
            return messages.CollectionOperationResponse(result=True)

        return answered(context, work)

    def Delete(self, request: messages.DeleteCollection, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Remove a collection; none there is answered with false."""
        return answered(
            context,
            lambda: messages.CollectionOperationResponse(result=self._shards.remove(request.collection_name)),
        )

    def CollectionExists(  # noqa: N802
        self, request: messages.CollectionExistsRequest, context: grpc.ServicerContext
    ) -> Any:
        """Say whether there is such a collection."""

        def work() -> messages.CollectionExistsResponse:
            exists = self._shards.exists(request.collection_name)
            return messages.CollectionExistsResponse(result=messages.CollectionExists(exists=exists))

        return answered(context, work)

    def List(self, request: messages.ListCollectionsRequest, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        """Name all collections."""

        def work() -> messages.ListCollectionsResponse:
            names = self._shards.names()
            return messages.ListCollectionsResponse(
                collections=[messages.CollectionDescription(name=name) for name in names]
            )

        return answered(context, work)


class Points(messages.PointsServicer):
    """Stores points and finds the nearest."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def Upsert(self, request: messages.UpsertPoints, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Store points; they can be found when this answers, whatever `wait` says."""

        def work() -> messages.PointsOperationResponse:
            conversion.refuse_others(request, "collection_name", "wait", "points", "ordering", "timeout")
            self._shards.check_room()
            points = [conversion.to_point(point) for point in request.points]
            return self._update(request.collection_name, UpdateOperation.upsert_points(points))

        return answered(context, work)

    def Delete(self, request: messages.DeletePoints, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Remove points by their ids."""

        def work() -> messages.PointsOperationResponse:
            conversion.refuse_others(request.points, "points")
            ids: list[int | str | UUID] = [conversion.to_id(identifier) for identifier in request.points.points.ids]
            return self._update(request.collection_name, UpdateOperation.delete_points(ids))

        return answered(context, work)

    def Get(self, request: messages.GetPoints, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Read points by their ids."""

        def work() -> messages.GetResponse:
            with self._shards.using(request.collection_name) as shard:
                records = shard.retrieve(
                    [conversion.to_id(identifier) for identifier in request.ids],
                    with_payload=conversion.wants_payload(request.with_payload),
                    with_vector=conversion.wants_vectors(request.with_vectors),
                )
            return messages.GetResponse(result=map(conversion.from_record, records))

        return answered(context, work)

    def Scroll(self, request: messages.ScrollPoints, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Read points in the order of their ids, a page at a time."""

        def work() -> messages.ScrollResponse:
            conversion.refuse_others(
                request, "collection_name", "offset", "limit", "with_payload", "with_vectors", "timeout"
            )
            limit = request.limit if request.HasField("limit") else _DEFAULT_SCROLL
            if limit > _MOST_SCROLLED:
                raise NotServedError(f"ScrollPoints.limit over {_MOST_SCROLLED}")
            page = ScrollRequest(
                offset=conversion.to_id(request.offset) if request.HasField("offset") else None,
                limit=limit,
                with_payload=conversion.wants_payload(request.with_payload),
                with_vector=conversion.wants_vectors(request.with_vectors),
            )
            with self._shards.using(request.collection_name) as shard:
                records, following = shard.scroll(page)
            answer = messages.ScrollResponse(result=map(conversion.from_record, records))
            if following is not None:
                answer.next_page_offset.CopyFrom(conversion.from_id(following))
            return answer

        return answered(context, work)

    def Count(self, request: messages.CountPoints, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Count all points, exactly."""

        def work() -> messages.CountResponse:
            conversion.refuse_others(request, "collection_name", "exact", "timeout")
            with self._shards.using(request.collection_name) as shard:
                return messages.CountResponse(result=messages.CountResult(count=points_in(shard)))

        return answered(context, work)

    def Query(self, request: messages.QueryPoints, context: grpc.ServicerContext) -> Any:  # noqa: N802
        """Find the points nearest to a vector."""

        def work() -> messages.QueryResponse:
            query = conversion.to_query(request)
            with self._shards.using(request.collection_name) as shard:
                return messages.QueryResponse(result=map(conversion.from_scored, shard.query(query)))

        return answered(context, work)

    def _update(self, name: str, operation: UpdateOperation) -> messages.PointsOperationResponse:
        with self._shards.using(name, writing=True) as shard:
            shard.update(operation)
        return messages.PointsOperationResponse(
            result=messages.UpdateResult(operation_id=0, status=messages.UpdateStatus.Completed)
        )


class Root(messages.QdrantServicer):
    """Says that somebody is there."""

    def HealthCheck(self, request: messages.HealthCheckRequest, context: grpc.ServicerContext) -> Any:  # noqa: ARG002, N802
        """Answer."""
        return messages.HealthCheckReply(title="shoal qdrant owner", version=_VERSION)


def _status_of(text: str) -> grpc.StatusCode:
    if "dimension" in text or "Wrong input" in text:
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.INTERNAL


def _end(context: grpc.ServicerContext, status: grpc.StatusCode, text: str) -> NoReturn:
    context.abort(status, text)
    raise AssertionError
