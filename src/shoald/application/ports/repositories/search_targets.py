"""What a retrieval asks of the store before it can search: everything about its target in one question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from shoald.domain.records.chunk_set import ChunkSet
from shoald.domain.records.document import Document
from shoald.domain.records.index import Index, IndexBuild
from shoald.domain.records.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRows:
    """A project, and what of it was asked for: None is what is not there, or deleted, or another project's.

    A build comes with its `index` and `chunk_set`. `document` is the one whose version `version_id` the chunk set was
    made of, deleted or not, and None where it was made of several.
    """

    project: Project
    build: IndexBuild | None = None
    index: Index | None = None
    chunk_set: ChunkSet | None = None
    version_id: str | None = None
    document: Document | None = None


class SearchTargetRepository(Protocol):
    """Reads what is not deleted, in projects of the namespace; each method returns None where no such project is."""

    def of_build(self, project_id: str, build_id: str, *, namespace_id: str) -> TargetRows | None:
        """Return a project with one of its builds."""
        ...

    def of_chunk_set(self, project_id: str, set_id: str | None, *, namespace_id: str) -> TargetRows | None:
        """Return a project with one of its chunk sets; None means the active one."""
        ...
