"""Pipelines on a real database: what they make, what they refuse, and that a killed one goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from shoald.application.documents import FileInfo
from shoald.application.pipelines import AcceptedPipeline, NewPipeline
from shoald.domain.failures import (
    EmptyChunkSet,
    Failure,
    IndexNotFound,
    InvalidChunkerParams,
    InvalidIndexConfig,
    InvalidLoaderParams,
    ProjectNotFound,
    ProviderUnsupported,
    Unavailable,
    UnsupportedChunkStrategy,
    UnsupportedLoader,
)
from shoald.domain.job_states import LeaseExpired
from shoald.domain.vocabulary import JobState, JobType
from support.rag_path import Here, RagPath

pytestmark = pytest.mark.integration

CONTENT = json.dumps(["the cat sat", "a dog ran"]).encode()


def run(path: RagPath, content: bytes = CONTENT, project_id: str | None = None, **asked: Any) -> AcceptedPipeline:
    new = NewPipeline(**{"file": FileInfo(filename="notes.json"), "loader_type": "json", **asked})

    def read(write: Callable[[bytes], None]) -> NewPipeline:
        write(content)
        return new

    return path.use_cases.pipelines.run(path.caller, project_id or path.project.project_id, read, Here())


def counts(path: RagPath) -> list[int]:
    project_id = path.project.project_id
    with path.adapters.open_unit_of_work() as uow:
        return [
            len(rows.list(project_id, offset=0, limit=100))
            for rows in (uow.documents, uow.segment_sets, uow.chunk_sets)
        ]


def test_a_file_becomes_searchable_in_one_call(path: RagPath) -> None:
    index = path.index()
    made = run(path, index_id=index.index_id, index_params={"mine": 1}, chunker_params={"chunk_size": 5}).made
    assert set(made) == {
        "document_id", "document_version_id", "segment_set_version_id", "chunk_set_version_id", "index_build_id",
    }  # fmt: skip
    with path.adapters.open_unit_of_work() as uow:
        build = uow.index_builds.get(made["index_build_id"], namespace_id=path.caller.namespace_id)
        chunk_set = uow.chunk_sets.get(made["chunk_set_version_id"], namespace_id=path.caller.namespace_id)
    assert build is not None
    assert chunk_set is not None
    assert (build.status, build.is_active, build.params) == ("succeeded", True, {"mine": 1})
    assert chunk_set.params == {"strategy": "recursive", "chunker_params": {"chunk_size": 5}}
    assert path.by_vectors("cat", build).items


def test_nothing_is_built_when_no_index_is_named(path: RagPath) -> None:
    assert run(path).made["index_build_id"] is None


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (UnsupportedLoader, {"loader_type": "tarot"}),
        (UnsupportedChunkStrategy, {"chunk_strategy": "by_moonlight"}),
        (InvalidLoaderParams, {"loader_params": {"jq_schema": ".["}}),
        (InvalidLoaderParams, {"loader_type": "table", "loader_params": {"mode": "group"}}),
        (InvalidLoaderParams, {"loader_type": "docx", "loader_params": {"regex_patterns": [[1, "("]]}}),
        (InvalidChunkerParams, {"chunker_params": {"chunk_size": 0}}),
        (InvalidChunkerParams, {"chunk_strategy": "semantic", "chunker_params": {"embedding_provider": "psychic"}}),
        (IndexNotFound, {"index_id": "00000000-0000-4000-8000-000000000000"}),
        (ProjectNotFound, {"project_id": "00000000-0000-4000-8000-000000000000"}),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_stored(
    path: RagPath, failure: type[Failure], asked: dict[str, Any]
) -> None:
    with pytest.raises(failure):
        run(path, **asked)
    assert counts(path) == [0, 0, 0]


@pytest.mark.parametrize(
    ("failure", "asked"),
    [
        (InvalidIndexConfig, {"config": {"embedding_provider": "psychic"}}),
        (InvalidIndexConfig, {"config": {"embedding_provider": "mock", "exact": "yes"}}),
        (ProviderUnsupported, {"provider": "shelf"}),
    ],
)
def test_an_index_that_cannot_be_built_is_told_before_anything_is_stored(
    path: RagPath, failure: type[Failure], asked: dict[str, Any]
) -> None:
    index = path.index(**asked)
    with pytest.raises(failure):
        run(path, index_id=index.index_id)
    assert counts(path) == [0, 0, 0]


def test_parameters_that_only_the_file_can_decide_are_left_to_it(path: RagPath) -> None:
    made = run(
        path, b"kind,n\na,1\nb,2\na,3\n", loader_type="table", loader_params={"mode": "group", "group_by": "kind"}
    ).made
    with path.adapters.open_unit_of_work() as uow:
        found = uow.segment_sets.get(made["segment_set_version_id"], namespace_id=path.caller.namespace_id)
    assert found is not None
    assert found.total_items == 2


def test_the_index_of_another_project_is_unknown(path: RagPath) -> None:
    index = path.index()
    other = path.use_cases.projects.create(path.caller, name="Other", description=None, settings=None)
    with pytest.raises(IndexNotFound):
        run(path, project_id=other.project_id, index_id=index.index_id)


def test_a_file_that_cannot_be_read_leaves_its_document_only(path: RagPath) -> None:
    with pytest.raises(InvalidLoaderParams):
        run(path, b'["one", {')
    assert counts(path) == [1, 0, 0]


def test_a_build_that_fails_is_shown_as_failed(path: RagPath) -> None:
    index = path.index()
    with pytest.raises(EmptyChunkSet):
        run(path, b"[]", index_id=index.index_id)
    with path.adapters.open_unit_of_work() as uow:
        (build,) = uow.index_builds.list(index.index_id, offset=0, limit=10)
    assert build.status == "failed"
    assert counts(path) == [1, 1, 1]


def test_an_asynchronous_one_shows_its_failure_in_the_job(path: RagPath) -> None:
    accepted = run(path, loader_type="tarot", is_async=True)
    assert accepted.made == {}
    assert accepted.job_id is not None
    path.use_cases.jobs.runner.run(accepted.job_id, dispatch=True)
    job = path.use_cases.jobs.get(path.caller, accepted.job_id)
    assert (job.state, job.error_code) == (JobState.FAILED, "unsupported_loader")
    assert (job.job_type, job.listed, job.payload) == (
        "pipeline",
        True,
        {"filename": "notes.json", "loader_type": "tarot"},
    )


class DyingBefore:
    """A step whose worker is killed before it does anything, once."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.starts = 0

    def run(self, context: Any) -> None:
        self.starts += 1
        if self.starts == 1:
            raise Unavailable("the worker is gone")
        self.handler.run(context)

    def follow(self, uow: Any, job: Any) -> None:
        self.handler.follow(uow, job)


@pytest.mark.parametrize("step", [JobType.SEGMENTS, JobType.CHUNK, JobType.INDEX_BUILD])
def test_a_killed_pipeline_goes_on_from_the_last_finished_step(path: RagPath, step: str) -> None:
    index = path.index()
    handlers = path.adapters.job_handlers
    dying = DyingBefore(handlers[step])
    handlers._made[step] = dying
    accepted = run(path, index_id=index.index_id, is_async=True)
    assert accepted.job_id is not None
    jobs = path.use_cases.jobs
    jobs.runner.run(accepted.job_id, dispatch=True)
    assert jobs.get(path.caller, accepted.job_id).state is JobState.PENDING
    with path.adapters.open_unit_of_work() as uow:
        pipeline = uow.pipelines.get(accepted.job_id)
    assert pipeline is not None
    made = [pipeline.segment_set_version_id, pipeline.chunk_set_version_id, pipeline.index_build_id]
    _run_again(path, accepted.job_id)
    job = jobs.get(path.caller, accepted.job_id)
    assert job.state is JobState.COMPLETED
    assert counts(path) == [1, 1, 1]
    after = [job.result[name] for name in ("segment_set_version_id", "chunk_set_version_id", "index_build_id")]
    assert [new if old is None else old for old, new in zip(made, after, strict=True)] == after
    with path.adapters.open_unit_of_work() as uow:
        builds = uow.index_builds.list(index.index_id, offset=0, limit=10)
    assert [build.status for build in builds] == ["succeeded"]


def _run_again(path: RagPath, job_id: str) -> None:
    """Run a job that waits for its retry, without waiting."""
    import sqlalchemy

    with path.adapters.open_unit_of_work() as uow:
        uow._connection.execute(sqlalchemy.text("UPDATE jobs SET run_after = created_at"))  # type: ignore[attr-defined]
        uow.commit()
    path.use_cases.jobs.runner.run(job_id, dispatch=True)


def test_an_attempt_that_was_overtaken_stores_no_step(path: RagPath) -> None:
    handlers = path.adapters.job_handlers
    segments = handlers[JobType.SEGMENTS]

    class Overtaken:
        def run(self, context: Any) -> None:
            with path.adapters.open_unit_of_work() as uow:
                import sqlalchemy

                uow._connection.execute(  # type: ignore[attr-defined]
                    sqlalchemy.text("UPDATE jobs SET lease_until = created_at")
                )
                uow.commit()
            path.adapters.job_moves.move(context.job.job_id, LeaseExpired())
            segments.run(context)

        def follow(self, uow: Any, job: Any) -> None:
            segments.follow(uow, job)

    handlers._made[JobType.SEGMENTS] = Overtaken()
    accepted = run(path, is_async=True)
    path.use_cases.jobs.runner.run(str(accepted.job_id), dispatch=True)
    assert counts(path) == [1, 0, 0]


def test_the_projects_preset_fills_what_is_left_out(path: RagPath) -> None:
    settings = {
        "default_chunking_preset": "short",
        "default_retrieval_preset": None,
        "extra": {"presets": {"short": {"strategy": "token", "chunker_params": {"chunk_size": 2, "chunk_overlap": 0}}}},
    }
    project = path.use_cases.projects.create(path.caller, name="Preset", description=None, settings=settings)
    made = run(path, project_id=project.project_id).made
    with path.adapters.open_unit_of_work() as uow:
        chunk_set = uow.chunk_sets.get(made["chunk_set_version_id"], namespace_id=path.caller.namespace_id)
    assert chunk_set is not None
    assert chunk_set.params == {"strategy": "token", "chunker_params": {"chunk_size": 2, "chunk_overlap": 0}}
