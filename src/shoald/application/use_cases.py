"""Everything that a server can do, one field for each use case: what entry points build and servicers take."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.application.access import Access
from shoald.application.chunking import Chunking
from shoald.application.documents import Documents
from shoald.application.index_building import IndexBuilding
from shoald.application.indexing import Indexes
from shoald.application.jobs import Jobs
from shoald.application.joining import Joining
from shoald.application.projects import Projects
from shoald.application.segmenting import Segmenting


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """The use cases of both APIs."""

    access: Access
    jobs: Jobs
    projects: Projects
    documents: Documents
    segmenting: Segmenting
    chunking: Chunking
    joining: Joining
    indexes: Indexes
    index_building: IndexBuilding
