"""How groups got their names, as messages."""

from __future__ import annotations

from shoal.clusters.v1 import label_audit_pb2

from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.label_audit import LabelAudit
from shoald.transport.json_values import to_struct, to_value
from shoald.transport.mapping.clusters.times import to_timestamp


def audit_message(run: ClusterRun, audit: LabelAudit) -> label_audit_pb2.LabelAudit:
    """Return what a model was shown of a group and said."""
    return label_audit_pb2.LabelAudit(
        cluster_id=run.cluster_id,
        run_id=run.run_id,
        group_id=audit.cluster_id,
        provider=audit.provider,
        model=audit.model,
        label=audit.label,
        error=audit.error,
        questions=map(_question, audit.questions),
        labelled_at=to_timestamp(audit.labelled_at),
        **audit.tokens,
    )


def _question(asked: JsonObject) -> label_audit_pb2.LabelQuestion:
    return label_audit_pb2.LabelQuestion(
        system=asked["system"],
        parts=to_value(asked["parts"]).list_value,
        parameters=to_struct(asked["parameters"]),
        max_output_tokens=asked["max_output_tokens"],
        content_hash=asked["content_hash"],
        attempts=[label_audit_pb2.LabelAttempt(**one) for one in asked["attempts"]],
        cached_answer=asked.get("cached_answer"),
    )
