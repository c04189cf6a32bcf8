"""The use cases of the RAG API, given their adapters: from documents to chunks, and from indexes to answers."""

from __future__ import annotations

from typing import TypedDict

from shoald.application.bulk_ingesting import BulkIngesting
from shoald.application.chunking import Chunking
from shoald.application.clone_patching import ClonePatching
from shoald.application.documents import Documents
from shoald.application.evaluating import Evaluating
from shoald.application.group_membership import GroupMemberships
from shoald.application.index_building import IndexBuilding
from shoald.application.indexing import Indexes
from shoald.application.joining import Joining
from shoald.application.lineage import Lineage
from shoald.application.pictures import Pictures
from shoald.application.pipelines import PipelineChecks, Pipelines
from shoald.application.preset_checks import PresetChecks
from shoald.application.projects import Projects
from shoald.application.retrieval_runs import RetrievalRuns
from shoald.application.retrieving import Retrieving
from shoald.application.segmenting import Segmenting
from shoald.wiring.adapters import Adapters


class Ingestion(TypedDict):
    """What turns files into chunks."""

    projects: Projects
    documents: Documents
    segmenting: Segmenting
    chunking: Chunking
    joining: Joining
    clone_patching: ClonePatching
    pictures: Pictures
    bulk_ingesting: BulkIngesting
    pipelines: Pipelines


class Search(TypedDict):
    """What indexes chunks, finds them, and says where they come from."""

    lineage: Lineage
    indexes: Indexes
    index_building: IndexBuilding
    retrieving: Retrieving
    retrieval_runs: RetrievalRuns
    evaluating: Evaluating


def build_ingestion(adapters: Adapters) -> Ingestion:
    """Build what turns files into chunks."""
    opens, objects, jobs = adapters.open_unit_of_work, adapters.objects, adapters.jobs
    most = adapters.settings.max_upload_bytes
    documents = Documents(open_unit_of_work=opens, clock=adapters.clock, objects=objects, max_upload_bytes=most)
    checks = _pipeline_checks(adapters)
    return Ingestion(
        projects=Projects(open_unit_of_work=opens, clock=adapters.clock, presets=_preset_checks(adapters)),
        documents=documents,
        segmenting=Segmenting(open_unit_of_work=opens, objects=objects, jobs=jobs),
        chunking=Chunking(open_unit_of_work=opens, jobs=jobs, embedding=adapters.sentence_embedding),
        joining=Joining(open_unit_of_work=opens, jobs=jobs),
        clone_patching=ClonePatching(open_unit_of_work=opens, objects=objects, jobs=jobs),
        pictures=Pictures(open_unit_of_work=opens, objects=objects),
        bulk_ingesting=BulkIngesting(documents=documents, open_unit_of_work=opens, jobs=jobs),
        pipelines=Pipelines(open_unit_of_work=opens, documents=documents, jobs=jobs, checks=checks),
    )


def _preset_checks(adapters: Adapters) -> PresetChecks:
    return PresetChecks(
        find_embedding=adapters.sentence_embedding.find, check_patterns=adapters.searches.check_patterns
    )


def _pipeline_checks(adapters: Adapters) -> PipelineChecks:
    return PipelineChecks(
        open_unit_of_work=adapters.open_unit_of_work,
        loader=adapters.document_loader,
        embedding=adapters.sentence_embedding,
        vector_indexes=adapters.vector_indexes,
    )


def build_search(adapters: Adapters) -> Search:
    """Build what indexes chunks and finds them."""
    opens, clock, jobs = adapters.open_unit_of_work, adapters.clock, adapters.jobs
    objects, searches = adapters.objects, adapters.searches
    memberships = GroupMemberships(open_unit_of_work=opens, objects=objects, tables=adapters.run_tables)
    retrieving = Retrieving(
        open_unit_of_work=opens, clock=clock, objects=objects, searches=searches, memberships=memberships
    )
    lineage = Lineage(open_unit_of_work=opens, clock=clock, tracing=jobs.tracing)
    return Search(
        lineage=lineage,
        indexes=Indexes(open_unit_of_work=opens, clock=clock),
        index_building=IndexBuilding(open_unit_of_work=opens, clock=clock, jobs=jobs),
        retrieving=retrieving,
        retrieval_runs=RetrievalRuns(open_unit_of_work=opens, retrieving=retrieving, lineage=lineage),
        evaluating=Evaluating(
            open_unit_of_work=opens,
            clock=clock,
            jobs=jobs,
            objects=objects,
            searches=searches,
            memberships=memberships,
        ),
    )
