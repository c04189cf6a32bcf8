"""One transaction on one pooled connection; each repository is one attribute."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import psycopg
import sqlalchemy.exc
from sqlalchemy import Connection, Engine, text

from shoald.adapters.postgres.api_keys import PostgresApiKeys
from shoald.adapters.postgres.artifacts import PostgresArtifacts
from shoald.adapters.postgres.chunk_sets import PostgresChunkSets
from shoald.adapters.postgres.cluster_runs import PostgresClusterRuns
from shoald.adapters.postgres.clusters import PostgresClusters
from shoald.adapters.postgres.collections import PostgresCollections
from shoald.adapters.postgres.database_errors import failure_of
from shoald.adapters.postgres.documents import PostgresDocuments
from shoald.adapters.postgres.embeddings import PostgresEmbeddings
from shoald.adapters.postgres.enrichments import PostgresEnrichments
from shoald.adapters.postgres.evaluations import PostgresEvaluations
from shoald.adapters.postgres.events import PostgresEvents
from shoald.adapters.postgres.identity import SYSTEM, Identity, become, identity_of
from shoald.adapters.postgres.index_builds import PostgresIndexBuilds
from shoald.adapters.postgres.indexes import PostgresIndexes
from shoald.adapters.postgres.jobs import PostgresJobRepository
from shoald.adapters.postgres.keyword_indexes import PostgresKeywordIndexes
from shoald.adapters.postgres.label_audits import PostgresLabelAudits
from shoald.adapters.postgres.label_ledger import PostgresLabelLedger
from shoald.adapters.postgres.namespaces import PostgresNamespaces
from shoald.adapters.postgres.object_references import PostgresObjectReferences
from shoald.adapters.postgres.output_collections import PostgresOutputCollections
from shoald.adapters.postgres.pipelines import PostgresPipelines
from shoald.adapters.postgres.projects import PostgresProjects
from shoald.adapters.postgres.retrieval_runs import PostgresRetrievalRuns
from shoald.adapters.postgres.search_targets import PostgresSearchTargets
from shoald.adapters.postgres.segment_sets import PostgresSegmentSets
from shoald.adapters.postgres.tasks import PostgresTasks
from shoald.adapters.postgres.taxonomies import PostgresTaxonomies
from shoald.adapters.postgres.triggers import PostgresTriggers
from shoald.adapters.postgres.webhook_deliveries import PostgresDeliveries
from shoald.adapters.postgres.webhooks import PostgresWebhooks
from shoald.application.access import acting
from shoald.application.ports import repositories
from shoald.application.ports.label_ledger import LabelLedger


class PostgresUnitOfWork:
    """`UnitOfWork` over PostgreSQL. What the driver raises inside the block leaves it as a failure of the domain."""

    def __init__(self, engine: Engine, *, reading: bool = False, identity: Identity = SYSTEM) -> None:
        self._engine = engine
        self._reading = reading
        self._identity = identity

    def __enter__(self) -> Self:
        """Take a connection, let it be the caller's, begin, and hand it to the repositories."""
        with translated():
            self._connection = self._engine.connect()
            try:
                become(self._connection, self._identity)
            except BaseException:
                self._connection.close()
                raise
        self._attach(self._connection)
        return self

    def _attach(self, connection: Connection) -> None:
        self.projects: repositories.ProjectRepository = PostgresProjects(connection)
        self.documents: repositories.DocumentRepository = PostgresDocuments(connection)
        self.artifacts: repositories.ArtifactRepository = PostgresArtifacts(connection)
        self.segment_sets: repositories.SegmentSetRepository = PostgresSegmentSets(connection)
        self.chunk_sets: repositories.ChunkSetRepository = PostgresChunkSets(connection)
        self.keyword_indexes: repositories.KeywordIndexRepository = PostgresKeywordIndexes(connection)
        self.indexes: repositories.IndexRepository = PostgresIndexes(connection)
        self.label_ledger: LabelLedger = PostgresLabelLedger(connection)
        self.label_audits: repositories.LabelAuditRepository = PostgresLabelAudits(connection)
        self.embeddings: repositories.EmbeddingRepository = PostgresEmbeddings(connection)
        self.index_builds: repositories.IndexBuildRepository = PostgresIndexBuilds(connection)
        self.jobs: repositories.JobRepository = PostgresJobRepository(connection)
        self.tasks: repositories.TaskRepository = PostgresTasks(connection)
        self.object_references: repositories.ObjectReferenceRepository = PostgresObjectReferences(connection)
        self.api_keys: repositories.ApiKeyRepository = PostgresApiKeys(connection)
        self.namespaces: repositories.NamespaceRepository = PostgresNamespaces(connection)
        self.collections: repositories.CollectionRepository = PostgresCollections(connection)
        self.clusters: repositories.ClusterRepository = PostgresClusters(connection)
        self.cluster_runs: repositories.ClusterRunRepository = PostgresClusterRuns(connection)
        self.events: repositories.EventRepository = PostgresEvents(connection)
        self.webhooks: repositories.WebhookRepository = PostgresWebhooks(connection)
        self.deliveries: repositories.DeliveryRepository = PostgresDeliveries(connection)
        self.output_collections: repositories.OutputCollectionRepository = PostgresOutputCollections(connection)
        self.enrichments: repositories.EnrichmentRepository = PostgresEnrichments(connection)
        self.taxonomies: repositories.TaxonomyRepository = PostgresTaxonomies(connection)
        self.triggers: repositories.TriggerRepository = PostgresTriggers(connection)
        self.evaluations: repositories.EvaluationRepository = PostgresEvaluations(connection)
        self.pipelines: repositories.PipelineRepository = PostgresPipelines(connection)
        self.search_targets: repositories.SearchTargetRepository = PostgresSearchTargets(connection)
        self.retrieval_runs: repositories.RetrievalRunRepository = PostgresRetrievalRuns(connection)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Roll back what was not committed, give the connection back, and translate what the driver raised."""
        # a connection that broke cannot be rolled back; the pool replaces it
        with contextlib.suppress(sqlalchemy.exc.SQLAlchemyError, psycopg.Error):
            self._connection.close()
        failure = failure_of(error) if error is not None else None
        if failure is not None:
            raise failure from error

    def commit(self) -> None:
        """Commit; what follows in the block is a new transaction."""
        if self._reading:
            raise TypeError("a unit of work that was opened for reading has nothing to commit")
        self._connection.commit()

    def keep_moment(self) -> None:
        """Begin the transaction as one that sees what was true at its first question."""
        if self._reading:
            raise TypeError("a unit of work that was opened for reading has no transaction that could keep a moment")
        with translated():
            self._connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


class PostgresUnitsOfWork:
    """`OpenUnitOfWork`: opens units of work on one engine, each on behalf of whom its thread works for."""

    def __init__(self, engine: Engine, *, nobody: Identity = SYSTEM) -> None:
        """`nobody` is who a thread is that works for no caller: the system, but in a server one who sees nothing."""
        self._engine = engine
        self._nobody = nobody
        # the same pool; PostgreSQL's default isolation gives every statement its own moment with or without BEGIN
        self._reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    def __call__(self, *, reading: bool = False) -> PostgresUnitOfWork:
        """Return a new one, not yet begun."""
        caller = acting()
        return self._opened(self._nobody if caller is None else identity_of(caller), reading=reading)

    def for_the_system(self, *, reading: bool = False) -> PostgresUnitOfWork:
        """Return a new one that sees every namespace, whoever the thread works for."""
        return self._opened(SYSTEM, reading=reading)

    def _opened(self, identity: Identity, *, reading: bool) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(self._reading if reading else self._engine, reading=reading, identity=identity)


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Let what the driver raises inside the block leave it as a failure of the domain."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, psycopg.Error) as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from error
