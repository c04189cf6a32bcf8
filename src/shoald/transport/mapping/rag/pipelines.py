"""Pipelines as messages, and requests for them, from a form or typed, as what the use case takes."""

from __future__ import annotations

from shoal.rag.v1 import pipeline_pb2, pipeline_service_pb2

from shoald.application.documents import FileInfo
from shoald.application.pipelines import AcceptedPipeline, NewPipeline
from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.domain.vocabulary import RunStatus
from shoald.transport.mapping.rag.fields import object_of
from shoald.transport.uploads import Form

FORM_FIELDS = (
    "loader_type",
    "loader_params_json",
    "chunk_strategy",
    "chunker_params_json",
    "create_index",
    "index_id",
    "index_params_json",
    "execution_mode",
)
"""What the form has beside its file."""

_ASYNC = "async"


def to_message(accepted: AcceptedPipeline) -> pipeline_pb2.Pipeline:
    """Return what a pipeline made, or that it was accepted: its ids are empty then."""
    made = accepted.made
    return pipeline_pb2.Pipeline(
        project_id=accepted.project_id,
        document_id=made.get("document_id", ""),
        document_version_id=made.get("document_version_id", ""),
        segment_set_version_id=made.get("segment_set_version_id", ""),
        chunk_set_version_id=made.get("chunk_set_version_id", ""),
        index_build_id=made.get("index_build_id"),
        job_id=accepted.job_id,
        status=RunStatus.QUEUED if accepted.job_id else RunStatus.SUCCEEDED,
    )


def pipeline_of_form(form: Form) -> NewPipeline:
    """Return what a form asks for; raises `InvalidFields` naming the field that is wrong."""
    loader_type = form.text("loader_type")
    if loader_type is None:
        raise InvalidFields([FieldProblem(("body", "loader_type"), "missing", "Field required")])
    loader_params = form.json_object("loader_params_json") or {}
    return NewPipeline(
        file=FileInfo(
            filename=form.filename, mime=form.mime, parser_params={"loader_type": loader_type, **loader_params}
        ),
        loader_type=loader_type,
        loader_params=loader_params,
        chunk_strategy=form.text("chunk_strategy") or "",
        chunker_params=form.json_object("chunker_params_json") or {},
        index_id=form.text("index_id") if form.flag("create_index") else None,
        index_params=form.json_object("index_params_json") or {},
        is_async=form.text("execution_mode") == _ASYNC,
    )


def pipeline_of_info(info: pipeline_service_pb2.PipelineInfo) -> NewPipeline:
    """Return what a typed client asks for."""
    loader_params = object_of(info.loader_params, "info", "loader_params")
    return NewPipeline(
        file=FileInfo(
            filename=info.filename,
            mime=info.mime if info.HasField("mime") else None,
            parser_params={"loader_type": info.loader_type, **loader_params},
        ),
        loader_type=info.loader_type,
        loader_params=loader_params,
        chunk_strategy=info.chunk_strategy,
        chunker_params=object_of(info.chunker_params, "info", "chunker_params"),
        index_id=(info.index_id or None) if info.create_index else None,
        index_params=object_of(info.index_params, "info", "index_params"),
        is_async=info.execution_mode == _ASYNC,
    )
