"""What an installation consists of: its settings as an environment, and its parts in dependence on each other."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shoald.settings import read_settings
from shoald.supervisor.envoy_config import EnvoyForm, descriptor_file
from shoald.supervisor.installation import Installation
from shoald.supervisor.part import Part
from shoald.supervisor.parts.envoy import EnvoyServer
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.shoal_processes import migrate_part, process_part
from shoald.supervisor.parts.valkey import ValkeyServer

_POOL_OF_A_SERVER = 24
_POOL_OF_A_WORKER = 4
_STORES = ("postgres", "valkey", "qdrant-owner")
_SPARE_CONNECTIONS = 20  # migrations, benchmarks, a person with psql


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many processes share the work: servers, and slots for short and for heavy jobs."""

    servers: int
    short_slots: int
    heavy_slots: int

    @property
    def connections(self) -> int:
        """Connections to PostgreSQL that all of them may hold at once, and some to spare."""
        processes = 2 + self.short_slots + self.heavy_slots  # the worker's parent and the scheduler hold some too
        return self.servers * _POOL_OF_A_SERVER + processes * _POOL_OF_A_WORKER + _SPARE_CONNECTIONS


def usual_size() -> Size:
    """Return what suits this machine: per four cores a server process and two heavy jobs, at least one of each."""
    cores = len(os.sched_getaffinity(0))
    return Size(servers=max(1, min(4, cores // 4)), short_slots=1, heavy_slots=max(1, min(8, cores // 2)))


def _postgres(installation: Installation, connections: int = 100) -> PostgresServer:
    return PostgresServer(
        data=installation.data / "postgres",
        port=installation.port("postgres"),
        password=installation.secret("postgres"),
        settings={"max_connections": str(connections), "shared_buffers": "128MB", "max_wal_size": "2GB"},
    )


def _valkey(installation: Installation) -> ValkeyServer:
    return ValkeyServer(
        data=installation.data / "valkey", port=installation.port("valkey"), password=installation.secret("valkey")
    )


def environment(installation: Installation, http: str) -> dict[str, str]:
    """Return the settings of an installation as environment variables."""
    return {
        "SHOAL_DATA_DIR": str(installation.data),
        "SHOAL_DATABASE_URL": _postgres(installation).url(),
        "SHOAL_REDIS_URL": _valkey(installation).url,
        "SHOAL_QDRANT_URL": f"http://127.0.0.1:{installation.port('qdrant-owner')}",
        "SHOAL_QDRANT_API_KEY": installation.secret("qdrant"),
        "SHOAL_SIGNING_SECRET": installation.secret("signing"),
        "SHOAL_PUBLIC_URL": http,
        "SHOAL_METRICS_PORT": str(installation.port("metrics")),
        "SHOAL_ENVOY_ADMIN": f"127.0.0.1:{installation.port('envoy-admin')}",
        "PROMETHEUS_MULTIPROC_DIR": str(installation.metrics),
    }


def parts_of(installation: Installation, http_port: int, size: Size) -> list[Part]:
    """Return the parts of an installation.

    PostgreSQL comes after those that need nobody to start: they load while it makes its data directory, for which the
    supervisor waits.
    """
    settings = environment(installation, f"http://127.0.0.1:{http_port}")
    servers = [_server(number, settings, installation) for number in range(1, size.servers + 1)]
    names = ("valkey", "migrate", *(server.name for server in servers))
    return [
        _valkey(installation).part(),
        *servers,
        _qdrant_owner(installation, settings),
        _postgres(installation, size.connections).part(),
        migrate_part(settings, after=("postgres",)),
        _envoy(http_port, servers, installation),
        _worker(size, settings, installation, after=names),
        _scheduler(settings, installation, after=names),
    ]


def _qdrant_owner(installation: Installation, settings: Mapping[str, str]) -> Part:
    owner = process_part("qdrant-owner", settings, run=installation.run)
    return replace(owner, address=settings["SHOAL_QDRANT_URL"].removeprefix("http://"))


def _server(number: int, settings: Mapping[str, str], installation: Installation) -> Part:
    name = f"serve-{number}"
    unary, stream = installation.port(f"{name}-unary"), installation.port(f"{name}-stream")
    own = {
        "SHOAL_UNARY_PORT": str(unary),
        "SHOAL_STREAM_PORT": str(stream),
        "SHOAL_DRAIN_NOTICE_SECONDS": "0",  # Envoy has been drained before
        "SHOAL_DATABASE_POOL_SIZE": str(_POOL_OF_A_SERVER),
    }
    # it asks the stores for nothing before it is called, and Envoy lets nobody in before they are ready
    part = process_part(name, {**settings, **own}, run=installation.run, uses=_STORES)
    return replace(part, address=f"127.0.0.1:{unary},{stream}")


def _worker(size: Size, settings: Mapping[str, str], installation: Installation, *, after: tuple[str, ...]) -> Part:
    """Workers start after the servers: on few cores, callers would wait for both."""
    own = {
        "SHOAL_WORKER_SHORT_SLOTS": str(size.short_slots),
        "SHOAL_WORKER_HEAVY_SLOTS": str(size.heavy_slots),
        "SHOAL_DATABASE_POOL_SIZE": str(_POOL_OF_A_WORKER),
    }
    part = process_part("work", {**settings, **own}, run=installation.run, after=after, uses=_STORES)
    return replace(part, awaited=False, ready_seconds=300)


def _scheduler(settings: Mapping[str, str], installation: Installation, *, after: tuple[str, ...]) -> Part:
    own = {"SHOAL_DATABASE_POOL_SIZE": str(_POOL_OF_A_WORKER)}
    part = process_part("schedule", {**settings, **own}, run=installation.run, after=after, uses=_STORES)
    return replace(part, awaited=False)


def _envoy(http_port: int, servers: Sequence[Part], installation: Installation) -> Part:
    limits = read_settings()  # the user's own environment; the limits of a request are the same for all processes
    form = EnvoyForm(
        listen=f"127.0.0.1:{http_port}",
        admin=f"127.0.0.1:{installation.port('envoy-admin')}",
        unary=tuple(f"127.0.0.1:{server.environment['SHOAL_UNARY_PORT']}" for server in servers),
        streams=tuple(f"127.0.0.1:{server.environment['SHOAL_STREAM_PORT']}" for server in servers),
        descriptors=str(descriptor_file()),
        max_json_bytes=limits.max_json_bytes,
        max_message_bytes=limits.max_message_bytes,
        max_upload_bytes=limits.max_upload_bytes,
        origins=tuple(filter(None, map(str.strip, limits.web_origins.split(",")))),
        otlp_endpoint=os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    envoy = EnvoyServer(form=form, run=installation.run, drain_seconds=limits.drain_seconds)
    part = envoy.part(servers=tuple(server.name for server in servers))
    return replace(part, after=(*part.after, "valkey", "qdrant-owner", "migrate"))
