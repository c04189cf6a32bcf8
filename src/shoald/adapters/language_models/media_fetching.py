"""Media whose provider takes bytes only are fetched from addresses that were checked, and go inline."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from shoald.application.ports.language_model import ModelFailure, NoAnswerBecause
from shoald.application.ports.outward_addresses import OutwardAddress, OutwardAddresses
from shoald.domain.failures import AddressRefused, Failure, Unavailable
from shoald.domain.labelling.prompts import PromptPart, sniffed

LARGEST = 8 << 20
_SECONDS = 10.0
_OK = 200


class MediaFetching:
    """Fetches media over one connection each to the address that was checked; follows no redirect."""

    def __init__(self, addresses: OutwardAddresses, *, trusted: ssl.SSLContext | None = None) -> None:
        self._addresses = addresses
        self._tls = trusted or ssl.create_default_context()

    def with_bytes(self, part: PromptPart, ends: float) -> PromptPart:
        """Return a medium with its bytes; raises `ModelFailure` where it cannot be had.

        To fetch it is part of the call: it takes no longer than to the moment `ends` of the monotonic clock.
        """
        if part.load is not None:
            return _loaded(part)
        if part.data is not None or part.url is None:
            return part
        data, media_type = self._fetched(part.url, min(ends, time.monotonic() + _SECONDS))
        return replace(part, data=data, media_type=part.media_type or media_type, source=part.source or part.url)

    def _fetched(self, url: str, ends: float) -> tuple[bytes, str]:
        try:
            address = self._addresses.resolve(url)
            with self._connected(address, ends) as connection:
                return _got(connection, address)
        except (AddressRefused, Unavailable) as failure:
            raise ModelFailure(NoAnswerBecause.REQUEST_REFUSED, f"a medium cannot be had: {failure.message}") from None
        except (OSError, http.client.HTTPException) as error:
            message = "a medium of the group could not be fetched"
            raise ModelFailure(NoAnswerBecause.REQUEST_REFUSED, message) from error

    @contextlib.contextmanager
    def _connected(self, address: OutwardAddress, ends: float) -> Iterator[http.client.HTTPConnection]:
        """Connect, and shut the line when the time is up, however slowly bytes come."""
        line = socket.create_connection((address.address, address.port), timeout=_seconds_until(ends))
        if address.scheme == "https":
            line = self._tls.wrap_socket(line, server_hostname=address.host, do_handshake_on_connect=False)
        end = threading.Timer(_seconds_until(ends), _shut, [line])
        end.daemon = True
        end.start()
        try:
            if isinstance(line, ssl.SSLSocket):
                line.do_handshake()
            connection = http.client.HTTPConnection(address.host, address.port)
            connection.sock = line
            with contextlib.closing(connection):
                yield connection
        finally:
            end.cancel()
            line.close()


def in_base64(part: PromptPart) -> str:
    """Return the bytes of a medium that has them in Base64."""
    return base64.b64encode(part.data or b"").decode()


def _seconds_until(ends: float) -> float:
    seconds = ends - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def _loaded(part: PromptPart) -> PromptPart:
    try:
        data = part.load() if part.load is not None else b""
    except Failure as failure:
        message = "a stored medium of the group cannot be read"
        raise ModelFailure(NoAnswerBecause.REQUEST_REFUSED, message) from failure
    return replace(part, data=data, load=None, media_type=part.media_type or sniffed(data, part.kind))


def _got(connection: http.client.HTTPConnection, address: OutwardAddress) -> tuple[bytes, str]:
    headers = {"Host": address.host_header, "Connection": "close", "Accept-Encoding": "identity"}
    connection.request("GET", address.target, headers=headers)
    answer = connection.getresponse()
    data = answer.read(LARGEST + 1)
    if answer.status != _OK or len(data) > LARGEST:
        raise http.client.HTTPException
    return data, answer.headers.get_content_type()


def _shut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)
