"""Pipelines: one file goes in; its document, segment set, chunk set and, if asked for, its build come out, by one job.

Each step is a transaction of its own that notes what it made, so that a job that was killed goes on with the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoald.application.index_building import NewBuild, new_build
from shoald.application.indexing import visible_index
from shoald.application.jobs import HEAVY_QUEUE, SHORT_QUEUE, JobRequest
from shoald.application.presets import filled_cutting
from shoald.application.projects import visible_project
from shoald.application.segmenting import known_loader
from shoald.domain.chunking import chunker
from shoald.domain.failures import Broken, IndexNotFound
from shoald.domain.index_config import read_config
from shoald.domain.job_states import Progressed
from shoald.domain.json_types import JsonObject
from shoald.domain.loader_params import with_defaults
from shoald.domain.records.document import Document, DocumentVersion
from shoald.domain.records.job import Job, Progress
from shoald.domain.records.pipeline import Pipeline
from shoald.domain.vocabulary import JobState, JobType

if TYPE_CHECKING:
    from shoald.application.access import Caller
    from shoald.application.documents import Documents, FileInfo
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.document_loader import DocumentLoader
    from shoald.application.ports.jobs import JobContext, JobHandler
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.ports.vector_index import VectorIndexes
    from shoald.application.sentence_embedding import SentenceEmbedding
    from shoald.application.waiting import Patience

# what of a pipeline's progress is done when a step is, with a build and without
_SHARES = {True: (0.0, 0.3, 0.5, 1.0), False: (0.0, 0.6, 1.0)}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPipeline:
    """What to do with a file; no `chunk_strategy` means that of the project's preset, else recursive.

    `index_id` is None when nothing is to be built, `is_async` returns at once with a job.
    """

    file: FileInfo
    loader_type: str
    loader_params: JsonObject = field(default_factory=dict)
    chunk_strategy: str = ""
    chunker_params: JsonObject = field(default_factory=dict)
    index_id: str | None = None
    index_params: JsonObject = field(default_factory=dict)
    is_async: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedPipeline:
    """A pipeline that has ended, with the ids of what it made, or, with a job's id, one that was accepted."""

    project_id: str
    made: JsonObject = field(default_factory=dict)
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineChecks:
    """Says before anything is stored what the steps would meet, whatever is in the file."""

    open_unit_of_work: OpenUnitOfWork
    loader: DocumentLoader
    embedding: SentenceEmbedding
    vector_indexes: VectorIndexes

    def check(self, caller: Caller, project_id: str, new: NewPipeline) -> None:
        """Raise what is wrong with the loader, the chunker, their parameters, or the index and its configuration."""
        self.loader.check(known_loader(new.loader_type), new.loader_params)
        chunker(new.chunk_strategy, new.chunker_params, find_embedding=self.embedding.find)
        if new.index_id is not None:
            self._check_index(caller, project_id, new.index_id)

    def _check_index(self, caller: Caller, project_id: str, index_id: str) -> None:
        with self.open_unit_of_work(reading=True) as uow:
            index = visible_index(uow, caller, index_id)
        _check_project(index.project_id, project_id, index_id)
        self.vector_indexes.get(index.provider)
        config = read_config(index.config)
        self.embedding.embedders.get(config.embedding_provider, config.embedding_model_name)


class Pipelines:
    """Takes files through all steps."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, documents: Documents, jobs: Jobs, checks: PipelineChecks
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._documents = documents
        self._jobs = jobs
        self._checks = checks

    def run(
        self,
        caller: Caller,
        project_id: str,
        read: Callable[[Callable[[bytes], None]], NewPipeline],
        patience: Patience,
    ) -> AcceptedPipeline:
        """Take a file in, in constant memory, and through the steps.

        `read` is called once: it hands the file's bytes on to what it is given and returns what is asked for. Raises
        `ProjectNotFound` before a byte is taken; a call that waits raises what its steps meet, and what is wrong with
        their parameters before anything is stored.
        """
        with self._documents.upload(caller, project_id) as upload:
            new = self._filled(caller, project_id, read(upload.write))
            if not new.is_async:
                self._checks.check(caller, project_id, new)
            stored = upload.finish(new.file)
        job = self._accept(caller, stored, new)
        if new.is_async:
            self._jobs.dispatch(job)
            return AcceptedPipeline(project_id=project_id, job_id=job.job_id)
        job = patience.finish(self._jobs, job)
        return AcceptedPipeline(project_id=project_id, made=job.result)

    def _filled(self, caller: Caller, project_id: str, new: NewPipeline) -> NewPipeline:
        with self._open_unit_of_work(reading=True) as uow:
            project = visible_project(uow, caller, project_id)
        strategy, params = filled_cutting(project, new.chunk_strategy or None, new.chunker_params)
        return replace(new, chunk_strategy=strategy, chunker_params=params)

    def _accept(self, caller: Caller, stored: tuple[Document, DocumentVersion], new: NewPipeline) -> Job:
        document, version = stored
        request = JobRequest(
            job_type=JobType.PIPELINE,
            payload={"filename": document.filename, "loader_type": new.loader_type},
            caller=caller,
            project_id=document.project_id,
            listed=new.is_async,
            queue=SHORT_QUEUE if new.index_id is None else HEAVY_QUEUE,
        )
        with self._open_unit_of_work() as uow:
            job = self._jobs.accept(uow, request)
            uow.pipelines.add(_pipeline(job, document, version, new))
            uow.commit()
        return job


class PipelineHandler:
    """`JobHandler` of pipelines: runs the steps that are not done yet, each by the handler of its own job type."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        embedding: SentenceEmbedding,
        steps: Mapping[str, JobHandler],
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._embedding = embedding
        self._steps = steps

    def run(self, context: JobContext) -> None:
        """Go through the steps and publish the ids of what they made."""
        with self._open_unit_of_work() as uow:
            pipeline = _stored(uow, context.job)
        shares = _SHARES[pipeline.index_id is not None]
        if pipeline.segment_set_version_id is None:
            pipeline = self._segment(context, pipeline, shares[:2])
        if pipeline.chunk_set_version_id is None:
            pipeline = self._chunk(context, pipeline, shares[1:3])
        if pipeline.index_id is not None:
            pipeline = self._build(context, pipeline, shares[2:])
        with self._open_unit_of_work() as uow:
            context.complete(uow, _result(pipeline))
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Show the build, once there is one, as the job is."""
        pipeline = uow.pipelines.get(job.job_id)
        if pipeline is not None and pipeline.index_build_id is not None:
            self._steps[JobType.INDEX_BUILD].follow(uow, replace(job, payload=_build_payload(pipeline)))

    def _segment(self, context: JobContext, pipeline: Pipeline, share: tuple[float, ...]) -> Pipeline:
        chunker(pipeline.chunk_strategy, pipeline.chunker_params, find_embedding=self._embedding.find)
        loader = known_loader(pipeline.loader_type)
        with self._open_unit_of_work() as uow:
            found = uow.documents.get_version(pipeline.document_version_id, namespace_id=context.job.namespace_id)
        defaults: JsonObject = found[0].parser_params if found else {}
        payload = {
            "version_id": pipeline.document_version_id,
            "loader_type": pipeline.loader_type,
            "loader_params": with_defaults(loader, pipeline.loader_params, defaults),
        }
        step = _Step(context, JobType.SEGMENTS, payload, share, pipeline)
        return step.done_by(self._steps, lambda made: {"segment_set_version_id": made["segment_set_version_id"]})

    def _chunk(self, context: JobContext, pipeline: Pipeline, share: tuple[float, ...]) -> Pipeline:
        payload = {
            "segment_set_id": pipeline.segment_set_version_id,
            "strategy": pipeline.chunk_strategy,
            "chunker_params": pipeline.chunker_params,
        }
        step = _Step(context, JobType.CHUNK, payload, share, pipeline)
        return step.done_by(self._steps, lambda made: {"chunk_set_version_id": made["chunk_set_version_id"]})

    def _build(self, context: JobContext, pipeline: Pipeline, share: tuple[float, ...]) -> Pipeline:
        if pipeline.index_build_id is None:
            pipeline = self._accept_build(context, pipeline)
        with self._open_unit_of_work() as uow:
            build = uow.index_builds.get(str(pipeline.index_build_id), namespace_id=context.job.namespace_id)
        if build is not None and build.artifact_uri is not None:
            return pipeline
        step = _Step(context, JobType.INDEX_BUILD, _build_payload(pipeline), share, pipeline)
        return step.done_by(self._steps, lambda _made: {})

    def _accept_build(self, context: JobContext, pipeline: Pipeline) -> Pipeline:
        """Store the build as running, and note it, in one transaction."""
        job = context.job
        with self._open_unit_of_work() as uow:
            index = uow.indexes.get(str(pipeline.index_id), namespace_id=job.namespace_id)
            if index is None:
                raise IndexNotFound(detail={"index_id": pipeline.index_id})
            _check_project(index.project_id, pipeline.project_id, index.index_id)
            new = NewBuild(chunk_set_version_id=str(pipeline.chunk_set_version_id), params=pipeline.index_params)
            build = new_build(index, new, self._clock)
            uow.index_builds.add(build)
            pipeline = replace(pipeline, index_build_id=build.build_id)
            _note(uow, job, pipeline)
            state = JobState.IN_PROGRESS
            self._steps[JobType.INDEX_BUILD].follow(uow, replace(job, payload=_build_payload(pipeline), state=state))
            uow.commit()
        return pipeline


class _Step:
    """One step of a pipeline, as the handler of its job type sees it (`JobContext`): its results are published under
    the fence of the pipeline's job, which goes on.
    """

    def __init__(
        self,
        context: JobContext,
        job_type: str,
        payload: JsonObject,
        share: tuple[float, ...],
        pipeline: Pipeline,
    ) -> None:
        self.job = replace(context.job, job_type=job_type, payload=payload)
        self._context = context
        self._begin, self._end = share
        self._pipeline = pipeline
        self._made_of: Callable[[JsonObject], dict[str, Any]] = dict

    def done_by(self, handlers: Mapping[str, JobHandler], made_of: Callable[[JsonObject], dict[str, Any]]) -> Pipeline:
        """Run the step and return the pipeline after it; `made_of` says what of the step's result is noted."""
        self._made_of = made_of
        handlers[self.job.job_type].run(self)
        return self._pipeline

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        """Show the step's progress as its share of the pipeline's."""
        self._context.progress(stage, self._begin + (self._end - self._begin) * fraction, message)

    def check(self) -> None:
        """Raise what stops the pipeline."""
        self._context.check()

    def complete(self, uow: UnitOfWork, result: JsonObject, *, with_errors: bool = False) -> None:
        """Note what the step made, in its own transaction."""
        del with_errors
        self._context.check()
        self._pipeline = replace(self._pipeline, **self._made_of(result))
        _note(uow, self._context.job, self._pipeline)


def _note(uow: UnitOfWork, job: Job, pipeline: Pipeline) -> None:
    """Store what the steps have made; an attempt that was overtaken raises `JobFenced` here, and stores nothing."""
    done = sum(made is not None for made in _result(pipeline).values())
    shown = Progress(stage="pipeline", fraction=_SHARES[pipeline.index_id is not None][min(done - 2, 2)])
    uow.jobs.apply(job.job_id, Progressed(job.attempt), progress=shown)
    uow.pipelines.update(pipeline)


def _stored(uow: UnitOfWork, job: Job) -> Pipeline:
    pipeline = uow.pipelines.get(job.job_id)
    if pipeline is None:
        raise Broken("The job has no pipeline.")
    return pipeline


def _check_project(of_index: str, wanted: str, index_id: str) -> None:
    if of_index != wanted:
        raise IndexNotFound(detail={"index_id": index_id})


def _build_payload(pipeline: Pipeline) -> JsonObject:
    return {"build_id": pipeline.index_build_id, "index_id": pipeline.index_id}


def _result(pipeline: Pipeline) -> dict[str, str | None]:
    """Return the documented result of the job: five ids, of which the last may be null."""
    return {
        "document_id": pipeline.document_id,
        "document_version_id": pipeline.document_version_id,
        "segment_set_version_id": pipeline.segment_set_version_id,
        "chunk_set_version_id": pipeline.chunk_set_version_id,
        "index_build_id": pipeline.index_build_id,
    }


def _pipeline(job: Job, document: Document, version: DocumentVersion, new: NewPipeline) -> Pipeline:
    return Pipeline(
        job_id=job.job_id,
        project_id=document.project_id,
        document_id=document.document_id,
        document_version_id=version.version_id,
        loader_type=new.loader_type,
        loader_params=dict(new.loader_params),
        chunk_strategy=new.chunk_strategy,
        chunker_params=dict(new.chunker_params),
        index_id=new.index_id,
        index_params=dict(new.index_params),
    )
