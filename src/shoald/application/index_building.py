"""Index builds: a chunk set goes in; its vectors, searchable, and the index's collection come out, by a job."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from shoald.application import producers
from shoald.application.build_sources import BuildSource, source_of
from shoald.application.chunking import visible_chunk_set
from shoald.application.collections import INDEX_VECTOR, BuiltIndex, publish_index_collection
from shoald.application.document_vectors import OWN_KEYS
from shoald.application.indexing import visible_index
from shoald.application.jobs import JobRequest
from shoald.application.vector_positions import store_positions
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import (
    ChunkSetNotFound,
    Failure,
    IndexBuildNotFound,
    IndexNotFound,
    JobCanceled,
    JobFenced,
    NotFound,
)
from shoald.domain.identifiers import new_uuid
from shoald.domain.index_config import IndexConfig, read_config
from shoald.domain.json_types import JsonObject
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.collection import ItemBatch, VectorColumn
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.vocabulary import EmbeddingProvider, IndexStatus, IndexType, JobState, JobType, RunStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoald.application.access import Caller
    from shoald.application.embedding import EmbedTexts
    from shoald.application.jobs import Jobs
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.embedder import Embedder, EmbedderInfo, Embedders
    from shoald.application.ports.jobs import JobContext
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
    from shoald.application.ports.vector_index import VectorIndexes
    from shoald.application.waiting import Patience
    from shoald.domain.records.job import Job

# what a build costs besides its embeddings, and how many texts a second each provider embeds; an endpoint's pace is
# not known, so its builds always go to a worker
_LEAST_SECONDS = 0.05
_TEXTS_PER_SECOND: dict[str, float] = {
    EmbeddingProvider.MOCK: 20_000.0,
    EmbeddingProvider.LOCAL: 150.0,
    EmbeddingProvider.HUGGINGFACE: 150.0,
}
_SLOW_SECONDS = 60.0
# shares of a build's progress
_EMBEDDED, _INDEXED = 0.85, 0.95
_DOCUMENTS_TOGETHER = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBuild:
    """What to build; `is_async` returns at once with a job that the job lists show."""

    chunk_set_version_id: str
    params: JsonObject = field(default_factory=dict)
    is_async: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedBuild:
    """A build that has ended, or, with a job's id, one that was accepted."""

    build: IndexBuild
    job_id: str | None = None


class IndexBuilding:
    """Builds indexes and reads their builds."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, jobs: Jobs) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._jobs = jobs

    def create(self, caller: Caller, index_id: str, new: NewBuild, patience: Patience) -> AcceptedBuild:
        """Build an index over a chunk set of its project.

        Raises `IndexNotFound`, `ChunkSetNotFound`, and when it waits for the end what the build met: `EmptyChunkSet`,
        `ProviderUnsupported`, `InvalidIndexConfig`, `MissingDependency`, `EmbeddingFailed`; what was deleted meanwhile
        is named by its own failure.
        """
        with self._open_unit_of_work() as uow:
            index = visible_index(uow, caller, index_id)
            chunk_set = visible_chunk_set(uow, caller, new.chunk_set_version_id)
            if chunk_set.project_id != index.project_id:
                raise ChunkSetNotFound(detail={"chunk_set_version_id": new.chunk_set_version_id})
            build = new_build(index, new, self._clock)
            uow.index_builds.add(build)
            job = self._jobs.accept(uow, _job_request(caller, index, chunk_set, build, is_listed=new.is_async))
            uow.commit()
        if new.is_async:
            self._jobs.dispatch(job)
            return AcceptedBuild(build=build, job_id=job.job_id)
        done = patience.finish(self._jobs, job)
        with self._open_unit_of_work() as uow:
            found = uow.index_builds.get(build.build_id, namespace_id=caller.namespace_id)
            if found is None:
                raise _gone(uow, done)
        return AcceptedBuild(build=found)

    def list(self, caller: Caller, index_id: str, wanted: ListRange) -> Listed[IndexBuild]:
        """Return the builds of an index, newest first; raises `IndexNotFound`."""
        with self._open_unit_of_work() as uow:
            visible_index(uow, caller, index_id)
            return read_list(lambda offset, limit: uow.index_builds.list(index_id, offset=offset, limit=limit), wanted)

    def get(self, caller: Caller, build_id: str) -> IndexBuild:
        """Return a build; raises `IndexBuildNotFound`."""
        with self._open_unit_of_work() as uow:
            return visible_build(uow, caller, build_id)


class IndexBuildHandler:
    """`JobHandler` of index builds: embeds, stores, and publishes in one transaction."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        embedders: Embedders,
        embed_texts: EmbedTexts,
        vector_indexes: VectorIndexes,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._embedders = embedders
        self._embed_texts = embed_texts
        self._vector_indexes = vector_indexes

    def run(self, context: JobContext) -> None:
        """Build what the payload names; a failure leaves the build before it serving."""
        job = context.job
        with self._open_unit_of_work() as uow:
            build, index, chunk_set = _parts_of(uow, job)
        config = read_config(index.config)
        embedder = self._embedders.get(config.embedding_provider, config.embedding_model_name)
        vector_index = self._vector_indexes.get(index.provider)
        with self._open_unit_of_work() as uow:
            source = source_of(uow, chunk_set, index.index_type, namespace_id=job.namespace_id)
        ids, vectors = self._embedded(context, embedder, source)
        stored = vector_index.build(
            build.build_id,
            ids,
            vectors,
            attempt=job.attempt,
            config=_named(index, config),
            progress=lambda done: context.progress("index", _EMBEDDED + done * (_INDEXED - _EMBEDDED)),
        )
        try:
            self._publish(
                context,
                _Result(
                    index=index,
                    build=build,
                    source=source,
                    ids=ids,
                    embedder=embedder.info,
                    vectors=vectors,
                    stored=stored,
                ),
            )
        except (JobCanceled, JobFenced):  # only then is it certain that the transaction did not go through
            with contextlib.suppress(Failure):
                vector_index.drop(stored)
            raise

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Show the build as its job is, and why it failed."""
        build_id, now = job.payload["build_id"], self._clock.now()
        if job.state in {JobState.FAILED, JobState.CANCELED}:
            uow.index_builds.fail(build_id, _reason(job), at=now)
        else:
            uow.index_builds.set_status(build_id, RunStatus.RUNNING, at=now)

    def _embedded(
        self, context: JobContext, embedder: Embedder, source: BuildSource
    ) -> tuple[Sequence[str], npt.NDArray[np.float32]]:
        ids: list[str] = []
        total = source.total
        embedded = self._embed_texts.embed(
            embedder,
            source.texts(self._open_unit_of_work, ids),
            count=total,
            progress=lambda done: context.progress("embed", _EMBEDDED * done / total, f"{done} of {total} texts"),
        )
        return ids, embedded.vectors

    def _publish(self, context: JobContext, result: _Result) -> None:
        context.progress("publish", _INDEXED)
        folder = f"index_builds/{result.build.build_id}/a{context.job.attempt}"
        manifest = {**result.manifest, **store_positions(self._objects, folder, result.source.positions)}
        stored = self._objects.put(f"{folder}/manifest.json", json.dumps(manifest, sort_keys=True).encode())
        now = self._clock.now()
        build = replace(
            result.build,
            status=RunStatus.SUCCEEDED,
            is_active=True,
            manifest=manifest,
            input_refs={**result.build.input_refs, "embedder": manifest["embedder"]},
            artifact_uri=self._objects.uri(stored.key),
            updated_at=now,
        )
        with self._open_unit_of_work() as uow:
            index = uow.indexes.get_for_change(build.index_id, namespace_id=context.job.namespace_id)
            if index is None:
                raise IndexNotFound(detail={"index_id": build.index_id})
            uow.index_builds.publish(build)
            collection = publish_index_collection(
                uow, _built(index, result, context.job), self._documents(context, result), at=now
            )
            config = {**index.config, **_location(manifest), "collection_id": collection.collection_id}
            uow.indexes.update(replace(index, config=config, status=IndexStatus.READY, updated_at=now))
            context.complete(uow, _outcome(build))
            uow.commit()

    @staticmethod
    def _documents(context: JobContext, result: _Result) -> Iterator[ItemBatch]:
        """Yield what was indexed as documents of the index's collection: metadata, text, place, and vectors."""
        hidden = sorted({*OWN_KEYS, INDEX_VECTOR})
        for rows, positions in result.source.rows(_DOCUMENTS_TOGETHER):
            context.check()
            yield ItemBatch(
                set_id=result.source.set_id,
                are_chunks=isinstance(result.source.items, ChunkSet),
                positions=positions,
                ids=result.ids[rows],
                hidden=hidden,
                own=result.source_ids,
                vectors=[VectorColumn(name=INDEX_VECTOR, values=result.vectors[rows])],
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """What a build made, before anybody sees it."""

    index: Index
    build: IndexBuild
    source: BuildSource
    ids: Sequence[str]
    embedder: EmbedderInfo
    vectors: npt.NDArray[np.float32]
    stored: JsonObject

    @property
    def source_ids(self) -> JsonObject:
        """The sets that the build was made from; the segment set only where segments were indexed."""
        ids = {"chunk_set_version_id": self.build.chunk_set_version_id}
        return ids if isinstance(self.source.items, ChunkSet) else {**ids, "segment_set_version_id": self.source.set_id}

    @property
    def manifest(self) -> dict[str, Any]:
        """What retrieval needs to search the build, and people to know what it is."""
        config = read_config(self.index.config)
        return {
            **self.stored,
            "index_type": self.index.index_type,
            **_notes_on(self.index, config),
            **self.source_ids,
            "indexed": self.source.indexed,
            "build_id": self.build.build_id,
            "index_id": self.build.index_id,
            "embedder": f"{self.embedder.name}@{self.embedder.version}",
            "embedding_provider": config.embedding_provider,
            "embedding_model_name": config.embedding_model_name,
        }


def visible_build(uow: UnitOfWork, caller: Caller, build_id: str) -> IndexBuild:
    """Return a build of the caller's namespace; raises `IndexBuildNotFound`."""
    build = uow.index_builds.get(build_id, namespace_id=caller.namespace_id)
    if build is None:
        raise IndexBuildNotFound(detail={"build_id": build_id})
    return build


def _parts_of(uow: UnitOfWork, job: Job) -> tuple[IndexBuild, Index, ChunkSet]:
    found = uow.index_builds.with_parts(job.payload["build_id"], namespace_id=job.namespace_id)
    if found is None:
        raise _gone(uow, job)
    return found


def _gone(uow: UnitOfWork, job: Job) -> NotFound:
    """Say what of a build that was accepted is deleted now, be it by its own mark or what it was made of."""
    ids, namespace_id = job.payload, job.namespace_id
    detail = {"build_id": ids["build_id"]}
    if uow.indexes.get(ids["index_id"], namespace_id=namespace_id) is None:
        message = "The index was deleted while it was being built."
        return IndexNotFound(message, detail={**detail, "index_id": ids["index_id"]})
    set_id = uow.index_builds.chunk_set_of(ids["build_id"])
    if set_id is not None and uow.chunk_sets.get(set_id, namespace_id=namespace_id) is None:
        message = "The chunk set, or what it was made of, was deleted while an index was being built over it."
        return ChunkSetNotFound(message, detail={**detail, "chunk_set_version_id": set_id})
    return IndexBuildNotFound("The build was deleted while it was being made.", detail=detail)


def new_build(index: Index, new: NewBuild, clock: Clock) -> IndexBuild:
    """Return the row of a build that is accepted now."""
    now = clock.now()
    return IndexBuild(
        build_id=new_uuid(),
        index_id=index.index_id,
        project_id=index.project_id,
        chunk_set_version_id=new.chunk_set_version_id,
        params=new.params,
        input_refs={"chunk_set_version_id": new.chunk_set_version_id},
        artifact_uri=None,
        manifest={},
        status=RunStatus.QUEUED,
        producer_type=producers.LIBRARY,
        producer_version=producers.VERSION,
        is_active=False,
        is_deleted=False,
        created_at=now,
        updated_at=now,
    )


def _job_request(
    caller: Caller, index: Index, chunk_set: ChunkSet, build: IndexBuild, *, is_listed: bool
) -> JobRequest:
    pace = _TEXTS_PER_SECOND.get(str(index.config.get("embedding_provider") or EmbeddingProvider.MOCK))
    return JobRequest(
        job_type=JobType.INDEX_BUILD,
        payload={"build_id": build.build_id, "index_id": build.index_id},
        caller=caller,
        project_id=index.project_id,
        listed=is_listed,
        estimated_seconds=_LEAST_SECONDS + chunk_set.total_items / pace if pace else _SLOW_SECONDS,
    )


def _built(index: Index, result: _Result, job: Job) -> BuiltIndex:
    return BuiltIndex(
        namespace_id=job.namespace_id,
        index_id=index.index_id,
        index_name=index.name,
        build_id=result.build.build_id,
        embedder=result.embedder.name,
        embedder_version=result.embedder.version,
        dimension=result.embedder.dimension,
        metadata={"index_id": index.index_id, "project_id": index.project_id},
    )


def _notes_on(index: Index, config: IndexConfig) -> JsonObject:
    """Return `notes` that name what was asked for and has no effect; nothing when all of it has."""
    notes = []
    if index.index_type not in set(IndexType):
        notes.append(f"index_type {index.index_type!r} has no effect; known are {', '.join(IndexType)}.")
    if config.embedding_provider == EmbeddingProvider.MOCK and config.embedding_model_name:
        model = config.embedding_model_name
        notes.append(f"embedding_model_name {model!r} has no effect; the embedding provider mock has no models.")
    return {"notes": notes} if notes else {}


def _named(index: Index, config: IndexConfig) -> JsonObject:
    """Return the configuration with the documented name where the user wishes none; it becomes a part of the name."""
    documented = f"rag_api_{index.project_id}_{index.index_id}"
    return {**index.config, "collection_name": config.collection_name or documented}


def _reason(job: Job) -> JsonObject:
    return {"code": job.error_code or job.state.lower(), "message": job.error_message or "The build was canceled."}


def _location(manifest: JsonObject) -> JsonObject:
    """Return the keys of an index's config that a build fills in: where its vectors lie."""
    return {key: manifest[key] for key in ("collection_name", "faiss_local_dir", "table") if key in manifest}


def _outcome(build: IndexBuild) -> JsonObject:
    return {
        "build_id": build.build_id,
        "index_id": build.index_id,
        "status": build.status,
        "artifact_uri": build.artifact_uri,
    }
