"""The only place that picks concrete adapters and hands them to use cases.

Each process builds what it needs: `Adapters` makes every adapter at its first use, and heavy libraries are
imported where they are used, so that a worker's parent or the scheduler stays small.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shoald.adapters.system_clock import SystemClock
from shoald.application.job_attempts import JobRunner, Terms, Unwatched
from shoald.application.job_dispatch import JobDispatch
from shoald.application.job_moves import JobMoves
from shoald.application.job_reconciling import JobSweep, OutboxRelay, Reconciler, log_event
from shoald.application.jobs import HEAVY_QUEUE, QUEUES, SHORT_QUEUE, Jobs
from shoald.application.object_sweep import ObjectSweep
from shoald.domain.failures import MissingDependency, ProviderUnsupported
from shoald.domain.vocabulary import IndexProvider, JobType
from shoald.scheduler.rounds import Round, Scheduler
from shoald.settings import Settings
from shoald.worker.child import TellParent, WorkerChild
from shoald.worker.parent import WorkerParent, WorkerPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shoald.adapters.embedders.configured import ConfiguredEmbedders
    from shoald.application.access import Access
    from shoald.application.cluster_inputs import ClusterInputs
    from shoald.application.cluster_pipeline import ClusterPipeline
    from shoald.application.embedding import EmbedTexts
    from shoald.application.file_links import FileLinks
    from shoald.application.job_attempts import AttemptWatch
    from shoald.application.listing import PageCursors
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.document_loader import DocumentLoader
    from shoald.application.ports.document_tables import DocumentTables
    from shoald.application.ports.jobs import JobHandler
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.run_tables import RunTables
    from shoald.application.ports.tracing import Tracing
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.ports.vector_index import VectorIndex, VectorIndexes
    from shoald.application.searching import Searches
    from shoald.application.use_cases import UseCases
    from shoald.worker.control import ControlLine

_SWEEP_SECONDS = 60.0
_OBJECT_SWEEP_SECONDS = 3600.0
_WORKER_IDLE_SECONDS = 600.0


@dataclass
class Adapters:
    """The outside of one process: database, queue, objects, embedders. One per process, made in its main thread.

    What holds connections registers its closing in `on_close`.
    """

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    is_worker: bool = False
    job_handlers: dict[str, JobHandler] = field(default_factory=dict)
    on_close: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @cached_property
    def open_unit_of_work(self) -> OpenUnitOfWork:
        """Transactions on PostgreSQL."""
        from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
        from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork

        limits = DatabaseLimits(
            pool_size=self.settings.database_pool_size, statement_seconds=self.settings.statement_timeout_seconds
        )
        if self.is_worker:  # a job's statements may be long: its lease, its deadline and its user's patience bound it
            limits = replace(
                limits, statement_seconds=0.0, idle_seconds=_WORKER_IDLE_SECONDS, lock_seconds=_WORKER_IDLE_SECONDS
            )
        engine = make_engine(self.settings.database_url, limits)
        self.on_close.callback(engine.dispose)
        return PostgresUnitsOfWork(engine)

    @cached_property
    def tracing(self) -> Tracing:
        """The request id and trace of the call at hand."""
        from shoald.adapters.telemetry.traces import OpenTelemetryTracing

        return OpenTelemetryTracing()

    @cached_property
    def job_moves(self) -> JobMoves:
        """Steps of jobs; `job_handlers` is filled by `build_job_handlers`."""
        return JobMoves(open_unit_of_work=self.open_unit_of_work, handlers=self.job_handlers)

    @cached_property
    def job_dispatch(self) -> JobDispatch:
        """The way of jobs into the queue."""
        from shoald.adapters.rq_queue.queue import RqJobQueue

        queue = RqJobQueue(self.settings.redis_url)
        self.on_close.callback(queue.close)
        return JobDispatch(moves=self.job_moves, queue=queue)

    def job_runner(self, worker: str, watch: AttemptWatch | None = None) -> JobRunner:
        """What runs claimed jobs under this name."""
        terms = Terms(
            lease=timedelta(seconds=self.settings.lease_seconds),
            renew_every=timedelta(seconds=self.settings.heartbeat_seconds),
            look_every=timedelta(seconds=self.settings.cancel_look_seconds),
        )
        return JobRunner(
            moves=self.job_moves,
            tracing=self.tracing,
            worker=worker,
            terms=terms,
            watch=watch or Unwatched(),
            has_heartbeat=watch is not None,
        )

    @cached_property
    def jobs(self) -> Jobs:
        """The jobs of this installation."""
        return Jobs(
            moves=self.job_moves,
            dispatcher=self.job_dispatch,
            runner=self.job_runner(f"server-{socket.gethostname()}-{os.getpid()}"),
            tracing=self.tracing,
            max_failures=self.settings.job_max_failures,
        )

    @cached_property
    def objects(self) -> ObjectStore:
        """The home of uploads and artifacts."""
        location = urlsplit(self.settings.objects_location)
        if location.scheme != "s3":
            from shoald.adapters.object_store.local import LocalObjectStore

            return LocalObjectStore(self.settings.objects_folder)
        from shoald.adapters.object_store.s3 import S3Location, S3ObjectStore

        secret = self.settings.s3_secret_access_key
        place = S3Location(
            bucket=location.netloc,
            prefix=location.path,
            endpoint=self.settings.s3_endpoint_url,
            region=self.settings.s3_region,
            access_key_id=self.settings.s3_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
        )
        return S3ObjectStore(place, self.settings.data_dir / "cache" / "objects")

    @cached_property
    def embedders(self) -> ConfiguredEmbedders:
        """Everyone who turns texts into vectors; `embedders.warm()` loads the bundled model."""
        from shoald.adapters.embedders.configured import ConfiguredEmbedders
        from shoald.adapters.embedders.openai import OpenAIEndpoint

        key = self.settings.openai_api_key
        endpoint = OpenAIEndpoint(
            base_url=self.settings.openai_base_url, api_key=key.get_secret_value() if key else None
        )
        embedders = ConfiguredEmbedders(
            threads=self.settings.embedding_threads,
            endpoint=endpoint,
            openai_model=self.settings.openai_embedding_model,
        )
        self.on_close.callback(embedders.close)
        return embedders

    @cached_property
    def signing_secret(self) -> bytes:
        """The key of download links and sealed cursors."""
        from shoald.adapters.object_store.link_secret import read_or_make_secret

        given = self.settings.signing_secret
        return (
            given.get_secret_value().encode() if given else read_or_make_secret(self.settings.data_dir / "signing.key")
        )

    @cached_property
    def file_links(self) -> FileLinks:
        """Tokens for `/v1/files/{token}`."""
        from shoald.application.file_links import FileLinks

        return FileLinks(self.signing_secret, self.clock)

    @cached_property
    def vector_indexes(self) -> VectorIndexes:
        """Where vectors are searched, by provider; each is made when it is first asked for."""
        return _ConfiguredVectorIndexes(self)

    @cached_property
    def document_loader(self) -> DocumentLoader:
        """What reads files, each in a child of its own."""
        from shoald.adapters.parser_child.limits import MIB, ParserLimits
        from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
        from shoald.domain.vocabulary import LoaderType

        settings, loaders = self.settings, "shoald.adapters.document_loaders"
        loader = ParserChildLoader(
            parsers={
                LoaderType.CSV: Parser(function=f"{loaders}.csv:load"),
                LoaderType.JSON: Parser(function=f"{loaders}.json:load", options={"jq_seconds": settings.jq_seconds}),
            },
            limits=ParserLimits(
                memory_bytes=settings.loader_memory_mib * MIB,
                stall_seconds=settings.loader_stall_seconds,
                max_segments=settings.loader_max_segments,
            ),
        )
        self.on_close.callback(loader.close)
        return loader

    @cached_property
    def page_cursors(self) -> PageCursors:
        """Sealed cursors of the clusters API."""
        from shoald.application.listing import PageCursors

        return PageCursors(self.signing_secret)

    @cached_property
    def run_tables(self) -> RunTables:
        """Artifacts of cluster runs as files."""
        from shoald.adapters.parquet.run_tables import ParquetRunTables

        return ParquetRunTables()

    @cached_property
    def document_tables(self) -> DocumentTables:
        """Tables with vectors that callers bring."""
        from shoald.adapters.parquet.document_tables import ArrowDocumentTables

        return ArrowDocumentTables()

    @cached_property
    def cluster_inputs(self) -> ClusterInputs:
        """What cluster runs read: vectors from PostgreSQL once, then from files."""
        from shoald.adapters.postgres.snapshots import SnapshotFiles
        from shoald.adapters.postgres.vector_reading import VectorReader
        from shoald.application.cluster_inputs import ClusterInputs

        files = SnapshotFiles(self.settings.data_dir / "snapshots", VectorReader(self.settings.database_url))
        return ClusterInputs(open_unit_of_work=self.open_unit_of_work, snapshots=files)

    @cached_property
    def cluster_pipeline(self) -> ClusterPipeline:
        """What does cluster runs; numeric libraries are imported here."""
        from shoald.adapters.arrays import ArrayLibraries
        from shoald.adapters.estimators import estimators_for
        from shoald.adapters.staged_arrays.folder import StagedArrayFolder
        from shoald.application.cluster_naming import ClusterNaming
        from shoald.application.cluster_pipeline import ClusterPipeline

        return ClusterPipeline(
            open_unit_of_work=self.open_unit_of_work,
            clock=self.clock,
            objects=self.objects,
            inputs=self.cluster_inputs,
            naming=ClusterNaming(open_unit_of_work=self.open_unit_of_work),
            tables=self.run_tables,
            staged=StagedArrayFolder(self.settings.data_dir / "cache" / "stages"),
            arrays=ArrayLibraries(),
            estimators=estimators_for,
        )

    @cached_property
    def embed_texts(self) -> EmbedTexts:
        """Embeds by content."""
        from shoald.application.embedding import EmbedTexts

        return EmbedTexts(open_unit_of_work=self.open_unit_of_work)

    @cached_property
    def searches(self) -> Searches:
        """Searches of every strategy, with the process's keyword indexes and the installation's result cache."""
        from shoald.adapters.redis_cache.result_cache import RedisResultCache
        from shoald.application.keyword_indexes import KeywordIndexes
        from shoald.application.searching import Searches

        cache = RedisResultCache(self.settings.redis_url)
        self.on_close.callback(cache.close)
        return Searches(
            keyword_indexes=KeywordIndexes(
                open_unit_of_work=self.open_unit_of_work,
                objects=self.objects,
                most_bytes=self.settings.keyword_index_bytes,
            ),
            vector_indexes=self.vector_indexes,
            embedders=self.embedders,
            cache=cache,
        )

    def close(self) -> None:
        """Close what was opened, last first."""
        self.on_close.close()


class _ConfiguredVectorIndexes:
    """`VectorIndexes` of this installation; several threads may ask at once."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters
        self._lock = threading.Lock()
        self._made: dict[str, VectorIndex] = {}

    def get(self, provider: str) -> VectorIndex:
        """Return the adapter of a provider."""
        with self._lock:
            if provider not in self._made:
                self._made[provider] = self._make(provider)
            return self._made[provider]

    def _make(self, provider: str) -> VectorIndex:
        if provider == IndexProvider.FAISS:
            from shoald.adapters.faiss.vector_index import FaissVectorIndex

            return FaissVectorIndex(self._adapters.objects, use_gpu=self._adapters.settings.faiss_gpu)
        if provider == IndexProvider.QDRANT:
            return self._qdrant()
        raise ProviderUnsupported(
            f"Unsupported index provider: {provider}",
            detail={"provider": provider},
            hint=f"Known providers: {', '.join(IndexProvider)}.",
        )

    def _qdrant(self) -> VectorIndex:
        settings = self._adapters.settings
        if settings.qdrant_url is None:
            raise MissingDependency("No Qdrant is configured.", hint="Set SHOAL_QDRANT_URL, or use provider faiss.")
        from shoald.adapters.qdrant.vector_index import QdrantVectorIndex

        key = settings.qdrant_api_key
        index = QdrantVectorIndex(settings.qdrant_url, api_key=key.get_secret_value() if key else None)
        self._adapters.on_close.callback(index.close)
        return index


def build_access(adapters: Adapters) -> Access:
    """Build what finds callers."""
    from shoald.application.access import Access

    return Access(open_unit_of_work=adapters.open_unit_of_work, default_namespace=adapters.settings.default_namespace)


def build_application(adapters: Adapters) -> UseCases:
    """Build what a server can do."""
    from shoald.application.artifacts import Artifacts
    from shoald.application.chunking import Chunking
    from shoald.application.clusters import Clusters
    from shoald.application.collection_documents import CollectionDocuments
    from shoald.application.collections import Collections
    from shoald.application.documents import Documents
    from shoald.application.executions import Executions
    from shoald.application.index_building import IndexBuilding
    from shoald.application.indexing import Indexes
    from shoald.application.joining import Joining
    from shoald.application.namespaces import Namespaces
    from shoald.application.projects import Projects
    from shoald.application.retrieving import Retrieving
    from shoald.application.segmenting import Segmenting
    from shoald.application.tasks import Tasks
    from shoald.application.use_cases import UseCases

    build_job_handlers(adapters)
    settings, opens, clock, jobs = adapters.settings, adapters.open_unit_of_work, adapters.clock, adapters.jobs
    cursors = adapters.page_cursors
    return UseCases(
        access=build_access(adapters),
        jobs=jobs,
        projects=Projects(open_unit_of_work=opens, clock=clock),
        documents=Documents(
            open_unit_of_work=opens,
            clock=clock,
            objects=adapters.objects,
            max_upload_bytes=settings.max_upload_bytes,
        ),
        segmenting=Segmenting(open_unit_of_work=opens, objects=adapters.objects, jobs=jobs),
        chunking=Chunking(open_unit_of_work=opens, jobs=jobs),
        joining=Joining(open_unit_of_work=opens, jobs=jobs),
        indexes=Indexes(open_unit_of_work=opens, clock=clock),
        index_building=IndexBuilding(open_unit_of_work=opens, clock=clock, jobs=jobs),
        retrieving=Retrieving(
            open_unit_of_work=opens, clock=clock, objects=adapters.objects, searches=adapters.searches
        ),
        namespaces=Namespaces(open_unit_of_work=opens, clock=clock, cursors=cursors),
        collections=Collections(open_unit_of_work=opens, clock=clock, cursors=cursors),
        collection_documents=CollectionDocuments(open_unit_of_work=opens, clock=clock, cursors=cursors),
        document_tables=adapters.document_tables,
        clusters=Clusters(open_unit_of_work=opens, clock=clock, cursors=cursors, jobs=jobs, objects=adapters.objects),
        executions=Executions(open_unit_of_work=opens, clock=clock, cursors=cursors, jobs=jobs),
        tasks=Tasks(open_unit_of_work=opens, jobs=jobs, cursors=cursors),
        artifacts=Artifacts(
            open_unit_of_work=opens,
            clock=clock,
            objects=adapters.objects,
            tables=adapters.run_tables,
            links=adapters.file_links,
            public_url=settings.public_url,
        ),
    )


def build_job_handlers(adapters: Adapters) -> None:
    """Fill `adapters.job_handlers`: the code of each job type. Its imports stay light: heavy ones wait for `run`."""
    from shoald.application.chunking import ChunkHandler
    from shoald.application.clustering import ClusterRunHandler
    from shoald.application.index_building import IndexBuildHandler
    from shoald.application.joining import JoinHandler
    from shoald.application.segmenting import SegmentsHandler

    opens, clock, objects = adapters.open_unit_of_work, adapters.clock, adapters.objects
    adapters.job_handlers |= {
        JobType.SEGMENTS: SegmentsHandler(
            open_unit_of_work=opens, clock=clock, objects=objects, loader=adapters.document_loader
        ),
        JobType.CHUNK: ChunkHandler(open_unit_of_work=opens, clock=clock),
        JobType.JOIN: JoinHandler(open_unit_of_work=opens, clock=clock),
        JobType.INDEX_BUILD: IndexBuildHandler(
            open_unit_of_work=opens,
            clock=clock,
            objects=objects,
            embedders=adapters.embedders,
            embed_texts=adapters.embed_texts,
            vector_indexes=adapters.vector_indexes,
        ),
        JobType.CLUSTER_RUN: ClusterRunHandler(clock=clock, pipeline=lambda: adapters.cluster_pipeline),
    }


@dataclass(frozen=True, slots=True)
class ChildPlace:
    """Where a worker's child stands: its queue, its name, and its line to the parent."""

    queue: str
    name: str
    line: ControlLine


def build_worker_parent(adapters: Adapters, child_command: Sequence[str], on_ready: Callable[[], None]) -> WorkerParent:
    """Build what keeps the children of a worker alive."""
    settings = adapters.settings
    slots = {SHORT_QUEUE: settings.worker_short_slots, HEAVY_QUEUE: settings.worker_heavy_slots}
    plan = WorkerPlan(
        slots={queue: n for queue, n in slots.items() if n > 0},
        child_command=child_command,
        drain_seconds=settings.worker_drain_seconds,
    )
    return WorkerParent(plan=plan, moves=adapters.job_moves, dispatch=adapters.job_dispatch, on_ready=on_ready)


def build_worker_child(adapters: Adapters, place: ChildPlace, warm: Callable[[], None]) -> WorkerChild:
    """Build one slot of a worker; `warm` runs before it says that it is ready."""
    from shoald.adapters.rq_queue.deliveries import RqDeliveries

    return WorkerChild(
        line=place.line,
        queue=place.queue,
        runner=adapters.job_runner(place.name, TellParent(place.line)),
        dispatch=adapters.job_dispatch,
        deliveries=RqDeliveries(adapters.settings.redis_url, place.queue),
        warm=warm,
    )


def warm_up(adapters: Adapters, queue: str) -> None:
    """Load what the jobs of a queue need, so that the first of them does not wait for it."""
    if queue != HEAVY_QUEUE:
        return
    with contextlib.suppress(MissingDependency):
        adapters.embedders.warm()
    for provider in IndexProvider:
        with contextlib.suppress(MissingDependency):
            adapters.vector_indexes.get(provider)
    adapters.cluster_pipeline.warm()


def build_scheduler(adapters: Adapters) -> Scheduler:
    """Build what heals jobs and sweeps up."""
    settings = adapters.settings
    moves, dispatch = adapters.job_moves, adapters.job_dispatch
    reconciler = Reconciler(
        moves=moves, dispatch=dispatch, redispatch_after=timedelta(seconds=settings.redispatch_seconds)
    )
    objects = ObjectSweep(open_unit_of_work=adapters.open_unit_of_work, objects=adapters.objects, clock=adapters.clock)
    relay = OutboxRelay(moves=moves, tell=log_event)
    sweep = JobSweep(moves=moves, dispatch=dispatch, queues=QUEUES, keep_jobs=timedelta(days=settings.job_keep_days))
    return Scheduler(
        rounds=[
            Round(name="reconciled", seconds=settings.reconcile_seconds, run=reconciler.run_pass),
            Round(name="relayed", seconds=settings.reconcile_seconds, run=relay.run_pass),
            Round(name="swept", seconds=_SWEEP_SECONDS, run=sweep.run_pass),
            Round(name="objects removed", seconds=_OBJECT_SWEEP_SECONDS, run=objects.run_pass),
        ]
    )
