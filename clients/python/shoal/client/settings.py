"""How to reach a Shoal: the address, who calls, how long calls may take; and the channel's arguments made from it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import grpc

VERSION = "0.1.0"
_LARGEST_MESSAGE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a connection needs to know; `connect` takes the same words."""

    url: str
    """`http://host:port` or `https://host:port`."""
    key: str | None = field(default=None, repr=False)
    """Sent as `authorization: Bearer …`; unset: that of the environment variable `SHOAL_API_KEY`, if there is one."""
    namespace: str | None = None
    """Id or name; unset: the key's own, else `default`."""
    deadline: float | None = 60.0
    """Seconds that a call of one answer may take when it is given no `timeout`; None: for ever. Streams have none."""
    job_deadline: float | None = 3600.0
    """The same for calls that may wait for a job, such as `CreateSegmentSet`."""
    root_certificates: bytes | None = field(default=None, repr=False)
    """PEM of the authorities to trust over https; unset: the system's."""
    options: Sequence[tuple[str, str | int]] = ()
    """Further channel arguments of gRPC; they win over ours."""

    @property
    def target(self) -> str:
        """What gRPC connects to, `host:port`."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
            raise ValueError(f"{self.url!r} is no address like http://127.0.0.1:8000")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return f"{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """TLS for https, None for http."""
        is_safe = urlsplit(self.url).scheme == "https"
        return grpc.ssl_channel_credentials(self.root_certificates) if is_safe else None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        shown = self.key or os.environ.get("SHOAL_API_KEY")
        key = (("authorization", f"Bearer {shown}"),) if shown else ()
        return (*key, *((("x-namespace", self.namespace),) if self.namespace else ()))

    def channel_options(self) -> list[tuple[str, str | int]]:
        """Return the channel's arguments: retries of reading calls, keepalive, sizes, and those of the user."""
        from importlib.resources import files

        ours: Mapping[str, str | int] = {
            "grpc.service_config": files("shoal").joinpath("service_config.json").read_text(encoding="utf-8"),
            "grpc.enable_retries": 1,
            "grpc.keepalive_time_ms": 30_000,
            "grpc.keepalive_timeout_ms": 10_000,
            "grpc.max_receive_message_length": _LARGEST_MESSAGE,
            "grpc.max_send_message_length": _LARGEST_MESSAGE,
            "grpc.max_reconnect_backoff_ms": 5_000,
            "grpc.primary_user_agent": f"shoal-client/{VERSION}",
        }
        return list({**ours, **dict(self.options)}.items())
