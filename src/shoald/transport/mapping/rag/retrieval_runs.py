"""Stored retrievals and their comparisons as messages."""

from __future__ import annotations

from shoal.rag.v1 import retrieval_comparison_pb2, retrieval_pb2

from shoald.application.retrieval_runs import ComparedRuns
from shoald.domain.records.retrieval_run import RetrievalRun
from shoald.domain.retrieval.comparison import KeptHit, RankedHit
from shoald.transport.mapping.rag.fields import to_object, to_timestamp


def to_message(run: RetrievalRun) -> retrieval_pb2.RetrievalRun:
    """Return a run as it is shown."""
    return retrieval_pb2.RetrievalRun(
        run_id=run.run_id,
        project_id=run.project_id,
        strategy=run.strategy,
        query=run.query,
        target_type=run.target_type,
        target_id=run.target_id,
        params=to_object(run.params),
        results=to_object(run.results),
        artifact_uri=run.artifact_uri,
        is_deleted=run.is_deleted,
        created_at=to_timestamp(run.created_at),
    )


def comparison_message(compared: ComparedRuns) -> retrieval_comparison_pb2.RetrievalComparison:
    """Return two runs and how they differ."""
    comparison = compared.comparison
    return retrieval_comparison_pb2.RetrievalComparison(
        before=to_message(compared.before),
        after=to_message(compared.after),
        kept=map(_kept, comparison.kept),
        gone=map(_single, comparison.gone),
        added=map(_single, comparison.added),
        moved=sum(hit.has_moved for hit in comparison.kept),
        overlaps=[retrieval_comparison_pb2.RankOverlap(k=depth, overlap=share) for depth, share in comparison.overlaps],
    )


def _kept(hit: KeptHit) -> retrieval_comparison_pb2.KeptHit:
    return retrieval_comparison_pb2.KeptHit(
        item_id=hit.after.item_id,
        page_content=hit.after.text,
        rank_before=hit.before.rank,
        rank_after=hit.after.rank,
        score_before=hit.before.score,
        score_after=hit.after.score,
        score_difference=hit.score_difference,
    )


def _single(hit: RankedHit) -> retrieval_comparison_pb2.SingleHit:
    return retrieval_comparison_pb2.SingleHit(
        item_id=hit.item_id, page_content=hit.text, rank=hit.rank, score=hit.score
    )
