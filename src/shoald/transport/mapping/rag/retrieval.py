"""Retrievals: requests as what the use case takes, pages as messages."""

from __future__ import annotations

from typing import Any

from shoal.rag.v1 import retrieval_pb2
from shoal.rag.v1 import retrieval_service_pb2 as pb

from shoald.application.retrieving import RetrievalPage, RetrievalRequest, RetrievedDocument
from shoald.application.searching import Strategy
from shoald.domain.cursors import cursor_of, offset_of
from shoald.transport.mapping.rag.fields import to_object


def request_of(request: pb.RetrieveRequest) -> RetrievalRequest:
    """Return what a request asks for; what it leaves out has the documented default."""
    given: dict[str, Any] = {
        name: getattr(request, name) for name in ("target", "target_id", "persist", "limit") if request.HasField(name)
    }
    return RetrievalRequest(
        query=request.query, strategy=_strategy_of(request.strategy), offset=offset_of(request.cursor), **given
    )


def to_message(page: RetrievalPage) -> pb.RetrieveResponse:
    """Return a page as it is shown."""
    return pb.RetrieveResponse(
        items=map(_document, page.items),
        next_cursor=None if page.next_offset is None else cursor_of(page.next_offset),
        has_more=page.next_offset is not None,
        strategy=page.strategy,
        target=page.target,
        target_id=page.target_id,
        total=page.total,
        run_id=page.run_id,
    )


def _strategy_of(message: retrieval_pb2.RetrievalStrategy) -> Strategy:
    given: dict[str, Any] = {
        name: getattr(message, name) for name in ("k", "search_type", "score_threshold") if message.HasField(name)
    }
    return Strategy(type=message.type, **given)


def _document(document: RetrievedDocument) -> retrieval_pb2.RetrievedDocument:
    return retrieval_pb2.RetrievedDocument(
        page_content=document.page_content, metadata=to_object(document.metadata), score=document.score
    )
