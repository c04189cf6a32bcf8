"""The RAG path for tests: a project and the steps through it, jobs run in the calling thread."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from shoald.application.access import Caller
from shoald.application.chunking import Cutting
from shoald.application.documents import FileInfo
from shoald.application.index_building import NewBuild
from shoald.application.indexing import NewIndex
from shoald.application.jobs import Jobs
from shoald.application.retrieval_requests import RetrievalRequest, read_request
from shoald.application.retrieving import RetrievalPage
from shoald.application.segmenting import Segmentation
from shoald.application.use_cases import UseCases
from shoald.application.waiting import Patience
from shoald.domain.job_states import WAITING
from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.document import DocumentVersion
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.job import Job
from shoald.domain.records.project import Project
from shoald.domain.records.segment_set import SegmentSet
from shoald.domain.retrieval.strategies import KeywordSearch, VectorSearch
from shoald.wiring import Adapters


class Here(Patience):
    """Runs the job in the calling thread, however long it may take; fails when nobody would try the job again."""

    def finish(self, jobs: Jobs, job: Job) -> Job:
        jobs.runner.run(job.job_id, dispatch=True)
        with jobs.moves.open_unit_of_work() as uow:
            tried = uow.jobs.get(job.job_id)
        if self.seconds is None and tried is not None and tried.state in WAITING:
            raise AssertionError(f"no worker is here to try the job again, which failed; its log says why: {tried}")
        return super().finish(jobs, job)


@dataclass
class RagPath:
    """A project and the steps through it, with what a test need not name."""

    adapters: Adapters
    use_cases: UseCases
    caller: Caller
    project: Project

    def upload(self, content: bytes, filename: str = "notes.json") -> DocumentVersion:
        with self.use_cases.documents.upload(self.caller, self.project.project_id) as upload:
            upload.write(content)
            return upload.finish(FileInfo(filename=filename))[1]

    def segment(self, version: DocumentVersion, *, text: str | None = None, loader: str = "json") -> SegmentSet:
        how = Segmentation(loader_type=loader, loader_params={}, source_text=text)
        return self.use_cases.segmenting.create(self.caller, version.version_id, how, Here())

    def texts(self, *texts: str) -> SegmentSet:
        return self.segment(self.upload(json.dumps(texts).encode()))

    def chunk(self, segment_set: SegmentSet, **params: Any) -> ChunkSet:
        how = Cutting(strategy="recursive", params=params)
        return self.use_cases.chunking.create(self.caller, segment_set.segment_set_version_id, how, Here())

    def index(self, **changes: Any) -> Index:
        new = NewIndex(**{"name": "main", "provider": "faiss", **changes})
        return self.use_cases.indexes.create(self.caller, self.project.project_id, new)

    def build(self, index: Index, chunk_set: ChunkSet) -> IndexBuild:
        new = NewBuild(chunk_set_version_id=chunk_set.chunk_set_version_id)
        return self.use_cases.index_building.create(self.caller, index.index_id, new, Here()).build

    def by_words(self, query: str, **request: Any) -> RetrievalPage:
        return self._retrieve(RetrievalRequest(query=query, strategy=KeywordSearch(), **request))

    def by_vectors(self, query: str, build: IndexBuild, **strategy: Any) -> RetrievalPage:
        wanted = VectorSearch(**strategy)
        return self._retrieve(
            RetrievalRequest(query=query, strategy=wanted, target="index_build", target_id=build.build_id)
        )

    def by(self, query: str, strategy: dict[str, Any], **given: Any) -> RetrievalPage:
        return self._retrieve(read_request({"query": query, "strategy": strategy, **given}))

    def _retrieve(self, request: RetrievalRequest) -> RetrievalPage:
        return self.use_cases.retrieving.retrieve(self.caller, self.project.project_id, request, Patience())
