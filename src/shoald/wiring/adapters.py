"""The outside of one process: each adapter is made at its first use, and imported there."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shoald.adapters.system_clock import SystemClock
from shoald.application.job_attempts import JobRunner, Terms, Unwatched
from shoald.application.job_dispatch import JobDispatch
from shoald.application.job_ends import Unheard
from shoald.application.job_moves import JobMoves
from shoald.application.jobs import Jobs
from shoald.settings import Settings
from shoald.wiring.job_handlers import JobHandlers
from shoald.wiring.leisure import Leisure
from shoald.wiring.vector_indexes import ConfiguredVectorIndexes

if TYPE_CHECKING:
    from shoald.adapters.embedders.configured import ConfiguredEmbedders
    from shoald.adapters.postgres.unit_of_work import PostgresUnitsOfWork
    from shoald.adapters.rerankers.configured import ConfiguredRerankers
    from shoald.application.cluster_inputs import ClusterInputs
    from shoald.application.cluster_pipeline import ClusterPipeline
    from shoald.application.delivering import Delivering
    from shoald.application.embedding import EmbedTexts
    from shoald.application.file_links import FileLinks
    from shoald.application.job_attempts import AttemptWatch
    from shoald.application.keyword_indexes import KeywordIndexes
    from shoald.application.keyword_indexing import KeywordIndexing, KeywordIndexJobs
    from shoald.application.listing import PageCursors
    from shoald.application.model_labels import ModelLabels
    from shoald.application.ports.call_limits import CallLimits
    from shoald.application.ports.clock import Clock
    from shoald.application.ports.document_loader import DocumentLoader
    from shoald.application.ports.document_tables import DocumentTables
    from shoald.application.ports.job_queue import JobEnds
    from shoald.application.ports.messengers import Mailer
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.outward_addresses import OutwardAddresses
    from shoald.application.ports.run_tables import RunTables
    from shoald.application.ports.staged_arrays import StagedArrays
    from shoald.application.ports.text_search import TextSearch
    from shoald.application.ports.tracing import Tracing
    from shoald.application.ports.unit_of_work import OpenUnitOfWork
    from shoald.application.searching import Searches
    from shoald.application.sentence_embedding import SentenceEmbedding
    from shoald.application.sparse_reduction import SparseReduction
    from shoald.application.webhook_channels import WebhookChannels
    from shoald.wiring.loading import Loading

_WORKER_IDLE_SECONDS = 600.0


@dataclass
class Adapters:
    """The outside of one process: database, queue, objects, embedders. One per process, made in its main thread.

    In a server, threads that work for no caller see nothing of the database, unless they say that they are the system.
    What holds connections registers its closing in `on_close`. `warming` still loads libraries in a worker's child,
    while that is at `leisure`.
    """

    settings: Settings
    clock: Clock = field(default_factory=SystemClock)
    is_worker: bool = False
    is_server: bool = False
    job_handlers: JobHandlers = field(default_factory=JobHandlers)
    on_close: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    leisure: Leisure = field(default_factory=Leisure)
    warming: Loading | None = None

    @cached_property
    def _units_of_work(self) -> PostgresUnitsOfWork:
        from shoald.adapters.postgres.engine import DatabaseLimits, make_engine
        from shoald.adapters.postgres.identity import NOBODY, SYSTEM
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
        return PostgresUnitsOfWork(engine, nobody=NOBODY if self.is_server else SYSTEM)

    @property
    def open_unit_of_work(self) -> OpenUnitOfWork:
        """Transactions on PostgreSQL, on behalf of the caller whom a thread works for."""
        return self._units_of_work

    @property
    def open_as_system(self) -> OpenUnitOfWork:
        """Transactions on PostgreSQL that see every namespace, for what is about all of them."""
        return self._units_of_work.for_the_system

    @cached_property
    def call_limits(self) -> CallLimits:
        """What counts the calls of each namespace."""
        from shoald.adapters.redis_limits.call_limits import RedisCallLimits

        limits = RedisCallLimits(self.settings.redis_url, calls_per_second=self.settings.namespace_calls_per_second)
        self.on_close.callback(limits.close)
        return limits

    @cached_property
    def tracing(self) -> Tracing:
        """The request id and trace of the call at hand."""
        from shoald.adapters.telemetry.traces import OpenTelemetryTracing

        return OpenTelemetryTracing()

    @cached_property
    def job_moves(self) -> JobMoves:
        """Steps of jobs; `job_handlers` is filled by `build_job_handlers`."""
        return JobMoves(open_unit_of_work=self.open_as_system, handlers=self.job_handlers)

    @cached_property
    def job_dispatch(self) -> JobDispatch:
        """The way of jobs into the queue."""
        from shoald.adapters.rq_queue.queue import RqJobQueue

        queue = RqJobQueue(self.settings.redis_url)
        self.on_close.callback(queue.close)
        return JobDispatch(moves=self.job_moves, queue=queue)

    @cached_property
    def job_ends(self) -> JobEnds:
        """The word of ended jobs, from who ran them to who waits."""
        from shoald.adapters.rq_queue.job_ends import RedisJobEnds

        ends = RedisJobEnds(self.settings.redis_url)
        self.on_close.callback(ends.close)
        return ends

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
            ends=Unheard() if watch is None else self.job_ends,  # a server tells its caller by answering
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
            ends=self.job_ends,
            max_failures=self.settings.job_max_failures,
            read_as_caller=self.open_unit_of_work,
            most_queued=self.settings.namespace_queued_jobs,
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
            base_url=self.settings.openai_base_url,
            api_key=key.get_secret_value() if key else None,
            requests_at_once=self.settings.openai_requests_at_once,
        )
        embedders = ConfiguredEmbedders(
            threads=self.settings.embedding_threads,
            endpoint=endpoint,
            openai_model=self.settings.openai_embedding_model,
        )
        self.on_close.callback(embedders.close)
        return embedders

    @cached_property
    def rerankers(self) -> ConfiguredRerankers:
        """Everyone who scores passages against a query."""
        from shoald.adapters.rerankers.configured import ConfiguredRerankers
        from shoald.adapters.rerankers.endpoint import RerankEndpoint

        settings, endpoint = self.settings, None
        if settings.reranker_url:
            key = settings.reranker_api_key
            endpoint = RerankEndpoint(
                base_url=settings.reranker_url,
                kind=settings.reranker_kind,
                api_key=key.get_secret_value() if key else None,
            )
        if endpoint is not None and self.is_worker:  # a job's user waits, however the endpoint limits us
            endpoint = replace(endpoint, timeout_seconds=60.0, patience_seconds=120.0, tries=8)
        rerankers = ConfiguredRerankers(folder=settings.reranker_folder, endpoint=endpoint)
        self.on_close.callback(rerankers.close)
        return rerankers

    @cached_property
    def signing_secret(self) -> bytes:
        """The key of download links and sealed cursors."""
        from shoald.adapters.object_store.link_secret import read_or_make_secret

        given = self.settings.signing_secret
        return (
            given.get_secret_value().encode() if given else read_or_make_secret(self.settings.data_dir / "signing.key")
        )

    @cached_property
    def outward_addresses(self) -> OutwardAddresses:
        """Where Shoal may connect to on a caller's word."""
        from shoald.wiring.outward import addresses_of

        return addresses_of(self.settings)

    @cached_property
    def webhook_channels(self) -> WebhookChannels:
        """What reads and seals the settings of webhooks."""
        from shoald.adapters.secret_box import AesSecretBox
        from shoald.application.webhook_channels import WebhookChannels

        box, has_mail = AesSecretBox(self.signing_secret), self.settings.smtp_host is not None
        return WebhookChannels(addresses=self.outward_addresses, box=box, has_mail=has_mail)

    @cached_property
    def mailer(self) -> Mailer:
        """The installation's mail server, or what says that there is none."""
        from shoald.wiring.outward import mailer_of

        return mailer_of(self.settings)

    @cached_property
    def delivering(self) -> Delivering:
        """What tries deliveries of webhooks."""
        from shoald.adapters.webhook_sending.posting import CheckedPoster
        from shoald.application.delivering import Delivering

        return Delivering(
            open_unit_of_work=self.open_as_system,
            clock=self.clock,
            channels=self.webhook_channels,
            poster=CheckedPoster(self.outward_addresses),
            mailer=self.mailer,
            most_of_namespace=max(1, self.settings.webhook_threads // 4),
        )

    @cached_property
    def file_links(self) -> FileLinks:
        """Tokens for `/v1/files/{token}`."""
        from shoald.application.file_links import FileLinks

        return FileLinks(self.signing_secret, self.clock)

    @cached_property
    def vector_indexes(self) -> ConfiguredVectorIndexes:
        """Where vectors are searched, by provider; each is made when it is first asked for."""
        return ConfiguredVectorIndexes(
            objects=lambda: self.objects,
            settings=self.settings,
            on_close=self.on_close,
        )

    @cached_property
    def document_loader(self) -> DocumentLoader:
        """What reads files, each in a child of its own."""
        from shoald.adapters.parser_child.limits import MIB, ParserLimits
        from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
        from shoald.domain.vocabulary import LoaderType

        settings = self.settings
        # a loader's module has its word for a name
        parsers: dict[str, Parser] = {
            kind: Parser(function=f"shoald.adapters.document_loaders.{kind}:load") for kind in LoaderType
        }
        programs = {"jq_seconds": settings.jq_seconds}
        parsers[LoaderType.JSON] = replace(parsers[LoaderType.JSON], options=programs, clocked="jq_schema")
        parsers[LoaderType.DOCX] = replace(parsers[LoaderType.DOCX], clocked="regex_patterns")
        loader = ParserChildLoader(
            parsers=parsers,
            limits=ParserLimits(
                memory_bytes=settings.loader_memory_mib * MIB,
                item_cpu_seconds=settings.loader_cpu_seconds,
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
        from shoald.adapters.postgres.identity import NOBODY, SYSTEM
        from shoald.adapters.postgres.snapshots import SnapshotFiles
        from shoald.adapters.postgres.vector_reading import VectorReader
        from shoald.application.cluster_inputs import ClusterInputs

        nobody = NOBODY if self.is_server else SYSTEM
        reader = VectorReader(self.settings.database_url, nobody=nobody)
        files = SnapshotFiles(self.settings.data_dir / "snapshots", reader)
        opens, reduction = self.open_unit_of_work, self.sparse_reduction
        return ClusterInputs(open_unit_of_work=opens, snapshots=files, reduction=reduction)

    @cached_property
    def sparse_reduction(self) -> SparseReduction:
        """What makes sparse vectors dense."""
        from shoald.adapters.arrays import ArrayLibraries
        from shoald.application.sparse_reduction import SparseReduction

        arrays, limit = ArrayLibraries().get("numpy"), self.settings.cluster_memory_mib
        return SparseReduction(staged=self.staged_arrays, backend=arrays, limit_mib=limit)

    @cached_property
    def staged_arrays(self) -> StagedArrays:
        """What finished stages made."""
        from shoald.adapters.staged_arrays.folder import StagedArrayFolder

        return StagedArrayFolder(self.settings.data_dir / "cache" / "stages")

    @cached_property
    def cluster_pipeline(self) -> ClusterPipeline:
        """What does cluster runs; numeric libraries are imported here."""
        from shoald.adapters.arrays import ArrayLibraries
        from shoald.adapters.estimators import estimators_for
        from shoald.adapters.process_memory import ProcessMemory
        from shoald.application.cluster_pipeline import ClusterPipeline
        from shoald.wiring.cluster_ways import cluster_ways
        from shoald.wiring.run_followers import run_followers

        ways = cluster_ways(
            open_unit_of_work=self.open_unit_of_work,
            inputs=self.cluster_inputs,
            objects=self.objects,
            tables=self.run_tables,
            staged=self.staged_arrays,
            limit_mib=self.settings.cluster_memory_mib,
            models=self.model_labels,
        )
        return ClusterPipeline(
            open_unit_of_work=self.open_unit_of_work,
            clock=self.clock,
            objects=self.objects,
            ways=ways,
            tables=self.run_tables,
            staged=self.staged_arrays,
            arrays=ArrayLibraries(),
            estimators=estimators_for,
            meter=ProcessMemory(),
            backend=self.settings.array_backend,
            followers=run_followers(self.objects, self.run_tables, self.jobs),
            send=self.jobs.dispatch,
        )

    @cached_property
    def model_labels(self) -> ModelLabels:
        """What asks language models for the names of groups."""
        from shoald.wiring.labels import build_model_labels

        return build_model_labels(self)

    @cached_property
    def embed_texts(self) -> EmbedTexts:
        """Embeds by content."""
        from shoald.application.embedding import EmbedTexts

        return EmbedTexts(open_unit_of_work=self.open_unit_of_work)

    @cached_property
    def sentence_embedding(self) -> SentenceEmbedding:
        """Who embeds sentences for semantic chunks."""
        from shoald.application.sentence_embedding import SentenceEmbedding

        return SentenceEmbedding(embedders=self.embedders, embed_texts=self.embed_texts)

    @cached_property
    def searches(self) -> Searches:
        """Searches of every strategy, with the process's keyword indexes and the installation's result cache."""
        from shoald.adapters.redis_cache.result_cache import RedisResultCache
        from shoald.application.reranking import Reranking
        from shoald.application.searching import Searches
        from shoald.application.vector_searching import VectorSearches
        from shoald.application.waiting import BriefPlaces

        places = BriefPlaces(max(1, self.settings.unary_threads * 3 // 4))
        cache = RedisResultCache(self.settings.redis_url)
        self.on_close.callback(cache.close)
        return Searches(
            open_unit_of_work=self.open_unit_of_work,
            keyword_indexes=self.keyword_indexes,
            text_search=self.text_search,
            vectors=VectorSearches(vector_indexes=self.vector_indexes, embedders=self.embedders, places=places),
            reranking=Reranking(open_unit_of_work=self.open_unit_of_work, rerankers=self.rerankers, places=places),
            cache=cache,
        )

    @cached_property
    def text_search(self) -> TextSearch:
        """Regular expressions and likeness over the texts of a set."""
        from shoald.adapters.text_search.files import ArrowTextSearch

        return ArrowTextSearch()

    @cached_property
    def keyword_indexing(self) -> KeywordIndexing:
        """What makes the files that sets are searched with."""
        from shoald.application.keyword_indexing import KeywordIndexing

        return KeywordIndexing(
            open_unit_of_work=self.open_unit_of_work,
            clock=self.clock,
            objects=self.objects,
            text_search=self.text_search,
        )

    @cached_property
    def keyword_index_jobs(self) -> KeywordIndexJobs:
        """What asks workers for them."""
        from shoald.application.keyword_indexing import KeywordIndexJobs

        return KeywordIndexJobs(self.jobs, self.leisure.then if self.is_worker else lambda act: act())

    @cached_property
    def keyword_indexes(self) -> KeywordIndexes:
        """The keyword indexes of this process; a worker, whose slot its job holds, makes them itself."""
        from shoald.application.keyword_indexes import KeywordIndexes

        return KeywordIndexes(
            open_unit_of_work=self.open_unit_of_work,
            objects=self.objects,
            text_search=self.text_search,
            indexing=self.keyword_indexing,
            jobs=None if self.is_worker else self.keyword_index_jobs,
            most_bytes=self.settings.keyword_index_bytes,
        )

    def close(self) -> None:
        """Close what was opened, last first."""
        self.on_close.close()
