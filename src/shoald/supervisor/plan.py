"""What an installation consists of: its settings as an environment, and its parts in dependence on each other."""

from __future__ import annotations

import os
from dataclasses import dataclass

from shoald.supervisor.installation import Installation
from shoald.supervisor.part import Part
from shoald.supervisor.parts.postgres import PostgresServer
from shoald.supervisor.parts.shoal_processes import migrate_part
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
    """Return the settings of an installation as environment variables.

    What the user's own environment says about servers elsewhere goes before the embedded ones.
    """
    return {
        "SHOAL_DATA_DIR": str(installation.data),
        "SHOAL_DATABASE_URL": _postgres(installation).url(),
        "SHOAL_REDIS_URL": _valkey(installation).url,
        "SHOAL_SIGNING_SECRET": installation.secret("signing"),
        "SHOAL_PUBLIC_URL": http,
    }


def parts_of(installation: Installation, http_port: int, size: Size) -> list[Part]:
    """Return the parts of an installation."""
    settings = environment(installation, f"http://127.0.0.1:{http_port}")
    return [
        _postgres(installation).part(),
        _valkey(installation).part(),
        migrate_part(settings, after=("postgres",)),
    ]
