"""The server: both gRPC ports of one process, until SIGTERM; then it says so, lets running calls end, and goes."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from shoald.adapters.telemetry.setup import set_up_telemetry
from shoald.entrypoints.left_out import leave_out_pandas
from shoald.entrypoints.readiness import tell_ready
from shoald.entrypoints.telemetry import telemetry_of
from shoald.settings import Settings
from shoald.transport.server import Addresses, PortTaken, ServerLimits, Servers
from shoald.transport.servicers.registration import add_servicers
from shoald.wiring import Adapters, build_application, warm_server

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; ends with a word about an address where it may not or cannot listen."""
    try:
        refuse_open_door(settings)
        _serve(settings)
    except (OpenDoor, PortTaken) as error:
        raise SystemExit(str(error)) from error


def _serve(settings: Settings) -> None:
    leave_out_pandas()
    set_up_telemetry("shoal-server", telemetry_of(settings))
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    adapters = Adapters(settings, is_server=True)
    try:
        use_cases = build_application(adapters)
        servers = Servers(add_servicers(use_cases), limits_of(settings), use_cases.access)
        servers.start(addresses_of(settings))
        tell_ready(settings.ready_file)
        warm_server(adapters)
        stop.wait()
        servers.drain(notice=settings.drain_notice_seconds, grace=settings.drain_seconds)
    finally:
        adapters.close()


def limits_of(settings: Settings) -> ServerLimits:
    """Return how much the server takes at a time."""
    return ServerLimits(
        unary_threads=settings.unary_threads,
        stream_threads=settings.stream_threads,
        streams_per_caller=settings.streams_per_caller,
        concurrent_calls=settings.max_concurrent_calls,
        message_bytes=settings.max_message_bytes,
    )


def addresses_of(settings: Settings) -> Addresses:
    """Return where the server listens."""
    return Addresses(unary=f"{settings.host}:{settings.unary_port}", streams=f"{settings.host}:{settings.stream_port}")


class OpenDoor(Exception):  # noqa: N818 - it says what is the case
    """The server would listen to everybody, without keys."""


def refuse_open_door(settings: Settings) -> None:
    """Refuse to listen beyond this machine without keys, unless told so."""
    if settings.host not in _LOOPBACK and not settings.require_keys and not settings.allow_open:
        raise OpenDoor(
            f"SHOAL_HOST is {settings.host}, where everybody could call without a key; set SHOAL_REQUIRE_KEYS=true "
            "to ask for one, or SHOAL_ALLOW_OPEN=true if something in front decides who may call"
        )
