"""Picks ports on loopback: outside the range that outgoing connections draw from, so that a choice stays free."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

_FIRST, _LAST = 20_000, 32_000  # below Linux's ip_local_port_range, above what services are registered for
_HTTP_TRIES = 200


class NoFreePortError(RuntimeError):
    """No port is free where one was looked for."""


def is_port_free(port: int, host: str = "127.0.0.1") -> bool:
    """Say whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def free_port(taken: Iterable[int] = ()) -> int:
    """Return a port that nobody listens on now and that is not among `taken`."""
    avoid = set(taken)
    for port in random.sample(range(_FIRST, _LAST), 1000):
        if port not in avoid and is_port_free(port):
            return port
    raise NoFreePortError(f"1,000 ports between {_FIRST} and {_LAST} are all taken")


def first_free_port(wanted: int) -> int:
    """Return `wanted`, or the next port above it that is free."""
    for port in range(wanted, min(wanted + _HTTP_TRIES, 65_536)):
        if is_port_free(port):
            return port
    raise NoFreePortError(f"port {wanted} and the {_HTTP_TRIES} after it are taken; choose another with --port")
