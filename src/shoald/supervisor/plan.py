"""What an installation consists of: its settings as an environment, and its parts in dependence on each other."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shoald.supervisor.installation import Installation
from shoald.supervisor.part import Part
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.shoal_processes import migrate_part, process_part
from shoald.supervisor.parts.valkey import ValkeyServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many processes share the work."""

    servers: int
    worker_slots: int


def usual_size() -> Size:
    """Return what suits this machine: a server process per four cores, two jobs at a time or half the cores."""
    cores = len(os.sched_getaffinity(0))
    return Size(servers=max(1, min(4, cores // 4)), worker_slots=max(2, min(8, cores // 2)))


def _postgres(installation: Installation) -> PostgresServer:
    return PostgresServer(
        data=installation.data / "postgres",
        port=installation.port("postgres"),
        password=installation.secret("postgres"),
        settings={"max_connections": "200", "shared_buffers": "128MB", "max_wal_size": "2GB"},
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
        "SHOAL_SIGNING_SECRET": installation.secret("signing"),
        "SHOAL_PUBLIC_URL": http,
    }


def parts_of(installation: Installation, http_port: int, size: Size) -> list[Part]:
    """Return the parts of an installation; what needs what is said by `after`."""
    http = f"http://127.0.0.1:{http_port}"
    settings = {
        **environment(installation, http),
        "SHOAL_QDRANT_URL": f"http://127.0.0.1:{installation.port('qdrant-owner')}",
        "SHOAL_WORKER_SLOTS": str(size.worker_slots),
    }
    stores = [_postgres(installation).part(), _valkey(installation).part()]
    owner = _process("qdrant-owner", settings, installation, after=())
    owner = replace(owner, address=settings["SHOAL_QDRANT_URL"].removeprefix("http://"))
    migrate = migrate_part(settings, after=("postgres",))
    needed = ("valkey", "migrate", "qdrant-owner")
    servers = [_server(number, settings, installation, after=needed) for number in range(1, size.servers + 1)]
    workers = [
        _process("work", settings, installation, after=needed),
        _process("schedule", settings, installation, after=needed),
    ]
    return [*stores, owner, migrate, *servers, *workers]


def _process(name: str, settings: Mapping[str, str], installation: Installation, *, after: tuple[str, ...]) -> Part:
    return process_part(name, settings, run=installation.run, after=after)


def _server(number: int, settings: Mapping[str, str], installation: Installation, *, after: tuple[str, ...]) -> Part:
    name = f"serve-{number}"
    unary, stream = installation.port(f"{name}-unary"), installation.port(f"{name}-stream")
    ports = {"SHOAL_UNARY_PORT": str(unary), "SHOAL_STREAM_PORT": str(stream)}
    part = _process(name, {**settings, **ports}, installation, after=after)
    return replace(part, address=f"127.0.0.1:{unary},{stream}")
