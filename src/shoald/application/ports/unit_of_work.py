"""One transaction over all repositories."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from shoald.application.ports.label_ledger import LabelLedger
    from shoald.application.ports.repositories import (
        ApiKeyRepository,
        ArtifactRepository,
        ChunkSetRepository,
        ClusterRepository,
        ClusterRunRepository,
        CollectionRepository,
        DeliveryRepository,
        DocumentRepository,
        EmbeddingRepository,
        EnrichmentRepository,
        EvaluationRepository,
        EventRepository,
        IndexBuildRepository,
        IndexRepository,
        JobRepository,
        KeywordIndexRepository,
        LabelAuditRepository,
        NamespaceRepository,
        ObjectReferenceRepository,
        OutputCollectionRepository,
        PipelineRepository,
        ProjectRepository,
        RetrievalRunRepository,
        SearchTargetRepository,
        SegmentSetRepository,
        TaskRepository,
        TaxonomyRepository,
        TriggerRepository,
        WebhookRepository,
    )


class UnitOfWork(Protocol):
    """`with open_unit_of_work() as uow: …; uow.commit()`; leaving without commit rolls everything back."""

    namespaces: NamespaceRepository
    projects: ProjectRepository
    documents: DocumentRepository
    artifacts: ArtifactRepository
    segment_sets: SegmentSetRepository
    chunk_sets: ChunkSetRepository
    keyword_indexes: KeywordIndexRepository
    label_ledger: LabelLedger
    label_audits: LabelAuditRepository
    indexes: IndexRepository
    index_builds: IndexBuildRepository
    embeddings: EmbeddingRepository
    search_targets: SearchTargetRepository
    retrieval_runs: RetrievalRunRepository
    evaluations: EvaluationRepository
    collections: CollectionRepository
    clusters: ClusterRepository
    cluster_runs: ClusterRunRepository
    taxonomies: TaxonomyRepository
    triggers: TriggerRepository
    output_collections: OutputCollectionRepository
    enrichments: EnrichmentRepository
    jobs: JobRepository
    tasks: TaskRepository
    pipelines: PipelineRepository
    events: EventRepository
    webhooks: WebhookRepository
    deliveries: DeliveryRepository
    object_references: ObjectReferenceRepository
    api_keys: ApiKeyRepository

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Roll back what was not committed."""
        ...

    def commit(self) -> None:
        """Make everything since `with` true at once."""
        ...

    def keep_moment(self) -> None:
        """Let all that is read from here to the end see the same moment, however long it takes; nothing is written.

        Called before anything else.
        """
        ...


class OpenUnitOfWork(Protocol):
    """Opens units of work; what use cases hold."""

    def __call__(self, *, reading: bool = False) -> UnitOfWork:
        """Return a new one, not yet begun.

        With `reading` nothing may be written or locked, and each statement sees a moment of its own: a call that reads
        a row or two is spared the beginning and the end of a transaction.
        """
        ...
