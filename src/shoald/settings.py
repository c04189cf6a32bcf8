"""The environment, read once, as one frozen object; everything below gets plain values from it."""

from __future__ import annotations

from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shoald.domain.labelling.prices import read_prices

_KIB = 1024
_MIB = 1024 * _KIB
_GIB = 1024 * _MIB


class Settings(BaseSettings):
    """Every setting of every process. `SHOAL_` and the upper-case name is the environment variable.

    Descriptions become the table in the README, in this order (`shoal settings --markdown`).
    """

    model_config = SettingsConfigDict(env_prefix="SHOAL_", frozen=True, extra="ignore", env_ignore_empty=True)

    # where things are
    data_dir: Path = Field(default=Path(".shoal"), description="Folder of this installation: caches, snapshots, logs.")
    database_url: str = Field(
        default="postgresql://shoal@127.0.0.1:5432/shoal", description="PostgreSQL 17 or newer, as a libpq URI."
    )
    redis_url: str = Field(default="redis://127.0.0.1:6379/0", description="Redis or Valkey, 7.2 or newer.")
    qdrant_url: str | None = Field(
        default=None, description="Qdrant's gRPC address, `http://host:6334`; unset: the provider `qdrant` is refused."
    )
    qdrant_api_key: SecretStr | None = Field(default=None, description="Key for that Qdrant.")
    pgvector_url: str | None = Field(
        default=None,
        description="PostgreSQL with the extension `vector`, for the provider `pgvector`; unset: `SHOAL_DATABASE_URL`.",
    )
    objects: str = Field(
        default="",
        description="Home of files and artifacts: a folder or `s3://bucket/prefix`; empty: `<data_dir>/objects`.",
    )
    s3_endpoint_url: str | None = Field(
        default=None, description="Endpoint of an S3-compatible store other than Amazon's."
    )
    s3_region: str = Field(default="us-east-1", description="Region of the bucket.")
    s3_access_key_id: str | None = Field(default=None, description="Access key; unset: the standard AWS variables.")
    s3_secret_access_key: SecretStr | None = Field(default=None, description="Its secret.")

    # where the server listens
    host: str = Field(
        default="127.0.0.1",
        description="Address the server listens on; another than loopback needs keys or `SHOAL_ALLOW_OPEN`.",
    )
    allow_open: bool = Field(
        default=False,
        description="Listen beyond loopback without keys, because something in front decides who may call.",
    )
    require_keys: bool = Field(
        default=False,
        description="Ask every caller for an API key (`shoal keys create`), also on loopback.",
    )
    unary_port: int = Field(default=50051, ge=0, le=65535, description="Port for short calls; Envoy connects to it.")
    stream_port: int = Field(
        default=50052, ge=0, le=65535, description="Port for streams and for calls that may wait for a job."
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port for Prometheus, all processes together; unset: none."
    )
    metrics_host: str = Field(default="127.0.0.1", description="Address of that port.")
    envoy_admin: str | None = Field(
        default=None, description="Envoy's admin address, `host:port`, whose metrics are shown with ours."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="Base URL under which callers reach Shoal; download links use it."
    )

    web_origins: str = Field(
        default="",
        description="Origins of web pages that may call, by comma, besides pages of this machine.",
    )

    # how much at a time
    unary_threads: int = Field(
        default=16, ge=1, description="Threads for short calls in one server process; slow models get 3/4 at most."
    )
    stream_threads: int = Field(default=32, ge=2, description="Threads for streams and waiting calls, one each.")
    streams_per_caller: int = Field(default=16, ge=1, description="Streams and waiting calls that one caller may hold.")
    max_concurrent_calls: int = Field(
        default=200, ge=1, description="Calls that one server process takes at once; more get RESOURCE_EXHAUSTED."
    )
    database_pool_size: int = Field(
        default=24, ge=4, description="Connections of one process to PostgreSQL, at most; one job may need four."
    )
    statement_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Longest time of one database statement on behalf of a call."
    )
    drain_seconds: float = Field(
        default=20.0, ge=0, description="Time that running calls get to finish when a server stops."
    )

    drain_notice_seconds: float = Field(
        default=1.5, ge=0, description="Time for load balancers to hear that a server stops, before it refuses calls."
    )

    # limits of a request
    max_json_bytes: int = Field(default=32 * _MIB, ge=_KIB, description="Largest JSON body, in bytes.")
    max_upload_bytes: int = Field(default=4 * _GIB, ge=1, description="Largest uploaded file, in bytes.")
    max_message_bytes: int = Field(default=64 * _MIB, ge=_MIB, description="Largest gRPC message, in bytes.")

    # limits of a file that is taken apart into segments
    loader_memory_mib: int = Field(default=1024, ge=128, description="Memory for reading one file, in MiB.")
    loader_stall_seconds: float = Field(
        default=60.0, gt=0, description="How long reading a file may give nothing before it is ended."
    )
    loader_cpu_seconds: float = Field(
        default=6.0,
        gt=0,
        description="Processor time from one segment of a file to the next, in seconds; one more per 8 MiB of file.",
    )
    loader_max_segments: int = Field(default=1_000_000, ge=1, description="Segments of one file, at most.")
    jq_seconds: float = Field(
        default=2.0, gt=0, description="How long a jq program (`jq_schema`) may take to each of its outputs."
    )

    # searching
    keyword_index_bytes: int = Field(
        default=256 * _MIB,
        ge=0,
        description="Memory that open keyword indexes take in one process beside their mapped files, in bytes.",
    )

    # jobs
    worker_short_slots: int = Field(
        default=1, ge=0, description="Segmenting, chunking and joining jobs that one worker runs at a time."
    )
    worker_heavy_slots: int = Field(
        default=1, ge=0, description="Index builds and cluster runs that one worker runs at a time."
    )
    worker_memory_mib: int = Field(
        default=0, ge=0, description="Memory that one job may use, in MiB; beyond it fails. 0: no limit."
    )
    cluster_memory_mib: int = Field(
        default=0,
        ge=0,
        description="Memory that a cluster run may take beside what its worker holds, in MiB: it takes cheaper ways, or"
        " is refused with what it would take. 0: no limit.",
    )
    worker_drain_seconds: float = Field(
        default=20.0, ge=0, description="Time that running jobs get to finish when a worker stops; others start again."
    )
    lease_seconds: float = Field(
        default=30.0, gt=0, description="How long a silent worker keeps its job before another gets it."
    )
    heartbeat_seconds: float = Field(default=10.0, gt=0, description="How often a worker renews its lease.")
    cancel_look_seconds: float = Field(
        default=0.5, gt=0, description="How often a running job looks whether somebody canceled it."
    )
    redispatch_seconds: float = Field(
        default=30.0, gt=0, description="How long a job may wait in Redis before the scheduler looks after it."
    )
    job_keep_days: float = Field(default=30.0, gt=0, description="Days after which an ended job is forgotten.")
    event_keep_days: float = Field(
        default=30.0,
        gt=0,
        description="Days after which an event that was told, and a webhook's delivery that ended, is forgotten.",
    )
    trigger_history_keep_days: float = Field(
        default=90.0, gt=0, description="Days after which a firing of a trigger that ended leaves its history."
    )
    job_max_failures: int = Field(default=3, ge=1, description="Crashes and passing errors before a job is given up.")
    reconcile_seconds: float = Field(
        default=2.0, gt=0, description="How often the scheduler looks for what went astray."
    )

    # embedding
    embedding_threads: int = Field(
        default=0, ge=0, description="Threads of the local embedding model in a worker; 0: as many as cores."
    )
    embedding_keep_days: float = Field(
        default=90.0, ge=0, description="Days after which an embedding that nobody used is forgotten; 0: never."
    )
    embedding_keep_mib: int = Field(
        default=0, ge=0, description="Embeddings that are kept, in MiB; beyond, the longest unused go. 0: all."
    )
    faiss_gpu: bool = Field(
        default=True, description="Let FAISS build and search on the GPU where it is built for CUDA and sees one."
    )
    array_backend: Literal["auto", "numpy", "cupy"] = Field(
        default="auto",
        description="Where cluster runs compute: `numpy` on the processor, `cupy` on a CUDA device (refused, before "
        "anything is read, where there is none), `auto` on a device where there is one.",
    )
    openai_base_url: str = Field(
        default="https://api.openai.com/v1", description="An OpenAI-compatible endpoint, for the provider `openai`."
    )
    openai_api_key: SecretStr | None = Field(default=None, description="Its key.")
    openai_requests_at_once: int = Field(
        default=4, ge=1, le=64, description="Requests of one index build that it answers at a time."
    )
    openai_embedding_model: str = Field(
        default="text-embedding-3-small", description="Its model where a request names none."
    )

    # names of groups by language models
    label_model: str | None = Field(
        default=None,
        description="The model that names groups where a definition asks for one and names none; unset: a small one of"
        " the first provider that has a key, of google, openai and anthropic.",
    )
    label_openai_base_url: str | None = Field(
        default=None,
        pattern="^https?://.",
        description="An OpenAI-compatible endpoint for names, such as one of your own; unset: SHOAL_OPENAI_BASE_URL.",
    )
    label_openai_api_key: SecretStr | None = Field(
        default=None, description="Its key; unset: SHOAL_OPENAI_API_KEY, or none where the endpoint is another."
    )
    google_base_url: str = Field(
        default="https://generativelanguage.googleapis.com",
        pattern="^https?://.",
        description="Where the provider `google` is.",
    )
    google_api_key: SecretStr | None = Field(default=None, description="Its key.")
    anthropic_base_url: str = Field(
        default="https://api.anthropic.com", pattern="^https?://.", description="Where the provider `anthropic` is."
    )
    anthropic_api_key: SecretStr | None = Field(default=None, description="Its key.")
    label_seconds: float = Field(
        default=900.0, gt=0, description="Seconds for all names of one run; groups that are left keep those of terms."
    )
    label_call_seconds: float = Field(default=30.0, ge=0.1, description="Seconds for one answer of a language model.")
    label_calls_at_once: int = Field(default=4, ge=1, le=64, description="Questions of one run asked at a time.")
    label_prices: str = Field(
        default="",
        description='What tokens of models cost, as JSON: `{"gpt-4o-mini": {"input": 0.15, "output": 0.6}}`, money for'
        " a million; a name stands for its dated forms too. Empty: names have no price.",
    )
    label_currency: str = Field(default="USD", max_length=10, description="What that money is called.")
    label_run_tokens: int = Field(
        default=0, ge=0, description="Tokens that the names of one run may take, in and out; 0: no limit."
    )
    label_run_money: Decimal = Field(
        default=Decimal(0),
        ge=0,
        description="Money that they may cost; models without a price are not asked. 0: no limit.",
    )
    label_namespace_tokens: int = Field(
        default=0,
        ge=0,
        description="Tokens that names of a namespace may take in a calendar month (UTC). 0: no limit.",
    )
    label_namespace_money: Decimal = Field(
        default=Decimal(0), ge=0, description="Money that they may cost in that month; 0: no limit."
    )

    # reranking
    reranker_folder: Path | None = Field(
        default=None,
        description="Folder of reranking models: `model.onnx` and `tokenizer.json` in a folder of the model's name.",
    )
    reranker_url: str | None = Field(
        default=None,
        pattern="^https?://.",
        description="Base URL of a `/rerank` endpoint, asked for the models that are not in the folder; unset: none.",
    )
    reranker_kind: Literal["openai", "cohere", "tei"] = Field(
        default="openai",
        description="Its kind: `openai` (OpenAI-compatible servers), `cohere`, or `tei` (Text Embeddings Inference).",
    )
    reranker_api_key: SecretStr | None = Field(default=None, description="Its key; unset: it needs none.")

    # what it sends out
    outward_private_networks: str = Field(
        default="",
        description="Networks that webhooks, and media shown to language models, may be in besides public addresses, by"
        " comma, such as `10.0.0.0/8`.",
    )
    outward_ports: str = Field(default="80,443", description="Ports of public addresses that webhooks may reach.")
    webhook_threads: int = Field(
        default=16, ge=1, le=256, description="Messages of webhooks that one scheduler sends at a time."
    )
    smtp_host: str | None = Field(
        default=None, description="Mail server for webhooks with the channel `email`; unset: they are refused."
    )
    smtp_port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    smtp_security: Literal["tls", "starttls", "none"] = Field(
        default="starttls", description="How the line to it is kept: `tls` from the start, `starttls`, or `none`."
    )
    smtp_username: str | None = Field(default=None, description="Who logs in there; unset: nobody.")
    smtp_password: SecretStr | None = Field(default=None, description="With which password.")
    smtp_sender: str = Field(default="shoal@localhost", description="The sender of those mails.")

    # questions about many documents
    document_query_seconds: float = Field(
        default=10.0,
        gt=0,
        le=600,
        description="Longest statement for filters, sorting, groups and figures of documents before it is given up.",
    )

    # identity and secrets
    default_namespace: str = Field(default="default", description="Namespace of callers who name none.")
    namespace_queued_jobs: int = Field(
        default=10_000, ge=1, description="Jobs of one namespace that may wait in a queue; more get 429."
    )
    namespace_calls_per_second: float = Field(
        default=0.0, ge=0, description="Calls of one namespace a second, over all servers; more get 429. 0: no limit."
    )
    signing_secret: SecretStr | None = Field(
        default=None,
        description="Signs links and cursors, seals secrets of webhooks; the same in every process; unset: kept in a"
        " file in `data_dir`.",
    )

    # what it says
    ready_file: Path | None = Field(
        default=None, description="A file that a process writes when it is ready for work, for whoever supervises it."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")
    log_format: Literal["json", "console"] = Field(default="json", description="Form of log lines.")

    @model_validator(mode="after")
    def _leases_outlast_their_renewal(self) -> Self:
        if self.heartbeat_seconds >= self.lease_seconds:
            raise ValueError("SHOAL_HEARTBEAT_SECONDS must be less than SHOAL_LEASE_SECONDS")
        return self

    @model_validator(mode="after")
    def _prices_can_be_read(self) -> Self:
        try:
            read_prices(self.label_prices)
        except ValueError as error:
            raise ValueError(f"SHOAL_LABEL_PRICES: {error}") from error
        return self

    @model_validator(mode="after")
    def _networks_and_ports_are_such(self) -> Self:
        try:
            for text in filter(str.strip, self.outward_private_networks.split(",")):
                ip_network(text.strip())
        except ValueError as error:
            raise ValueError(f"SHOAL_OUTWARD_PRIVATE_NETWORKS: {error}") from error
        if not all(text.strip().isdecimal() for text in self.outward_ports.split(",")):
            raise ValueError("SHOAL_OUTWARD_PORTS must be numbers by comma")
        return self

    @property
    def objects_location(self) -> str:
        """The folder or bucket of the object store."""
        return self.objects or str(self.data_dir / "objects")

    @property
    def objects_folder(self) -> Path:
        """The folder, when it is one."""
        return Path(self.objects_location.removeprefix("file://"))


def read_settings() -> Settings:
    """Read the environment; ends the process with a line for each variable that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = [(".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors()]
        lines = [f"SHOAL_{name.upper()}: {message}" if name else message for name, message in wrong]
        raise SystemExit("\n".join(lines)) from None
