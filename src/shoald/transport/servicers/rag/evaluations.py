"""Evaluations over gRPC."""

from __future__ import annotations

import grpc
from shoal.rag.v1 import evaluation_pb2, evaluation_service_pb2_grpc
from shoal.rag.v1 import evaluation_service_pb2 as pb

from shoald.application.access import Access
from shoald.application.evaluating import Evaluating
from shoald.domain.cursors import offset_of
from shoald.transport.callers import caller_of, patience_of
from shoald.transport.mapping.rag import evaluations as mapping
from shoald.transport.mapping.rag.fields import announce_next, list_range


class EvaluationServicer(evaluation_service_pb2_grpc.EvaluationServiceServicer):
    """Hands requests to `Evaluating`."""

    def __init__(self, access: Access, evaluating: Evaluating) -> None:
        self._access = access
        self._evaluating = evaluating

    def EvaluateRetrieval(
        self, request: pb.EvaluateRetrievalRequest, context: grpc.ServicerContext
    ) -> pb.EvaluateRetrievalResponse:
        """Evaluate strategies."""
        caller = caller_of(self._access, context)
        new = mapping.new_evaluation_of(request)
        return mapping.accepted_message(self._evaluating.create(caller, request.project_id, new, patience_of(context)))

    def ListEvaluations(
        self, request: pb.ListEvaluationsRequest, context: grpc.ServicerContext
    ) -> pb.ListEvaluationsResponse:
        """List those of a project."""
        listed = self._evaluating.list(caller_of(self._access, context), request.project_id, list_range(request))
        announce_next(listed)
        return pb.ListEvaluationsResponse(evaluations=map(mapping.to_message, listed.rows))

    def GetEvaluation(
        self, request: pb.GetEvaluationRequest, context: grpc.ServicerContext
    ) -> evaluation_pb2.Evaluation:
        """Get one."""
        return mapping.to_message(self._evaluating.get(caller_of(self._access, context), request.evaluation_id))

    def ListEvaluatedQuestions(
        self, request: pb.ListEvaluatedQuestionsRequest, context: grpc.ServicerContext
    ) -> pb.ListEvaluatedQuestionsResponse:
        """Show a page of the questions of one."""
        page = self._evaluating.questions(
            caller_of(self._access, context),
            request.evaluation_id,
            limit=request.limit,
            offset=offset_of(request.cursor),
        )
        return mapping.page_message(page)

    def DeleteEvaluation(
        self, request: pb.DeleteEvaluationRequest, context: grpc.ServicerContext
    ) -> pb.DeleteEvaluationResponse:
        """Delete one."""
        self._evaluating.delete(caller_of(self._access, context), request.evaluation_id)
        return pb.DeleteEvaluationResponse(ok=True, evaluation_id=request.evaluation_id)
