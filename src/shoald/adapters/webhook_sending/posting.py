"""A post goes out over one connection to the address that was checked; how it was received comes back."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from shoald.application.ports.messengers import Post, Reception
from shoald.application.ports.outward_addresses import OutwardAddress, OutwardAddresses
from shoald.domain.failures import AddressRefused, Unavailable

_OK, _REDIRECT, _ERRORS, _GONE = 200, 300, 400, 410
_MOST_READ = 65_536
_LARGEST_BODY = 1 << 20
_SECONDS = re.compile(r"[0-9]{1,18}")


class CheckedPoster:
    """`Poster` over HTTP/1.1, a connection for each post: names are resolved and checked anew each time."""

    def __init__(self, addresses: OutwardAddresses, *, trusted: ssl.SSLContext | None = None) -> None:
        self._addresses = addresses
        self._tls = trusted or ssl.create_default_context()

    def send(self, post: Post) -> Reception:
        """Resolve, connect to what was checked, send, and read the status."""
        if len(post.body) > _LARGEST_BODY:
            too_long = f"the message has {len(post.body)} bytes, more than {_LARGEST_BODY}"
            return Reception(error=too_long, is_final=True)
        deadline = time.monotonic() + post.timeout_seconds
        try:
            address = self._addresses.resolve(post.url)
            with self._connected(address, deadline) as connection:
                return _exchange(connection, address, post)
        except (AddressRefused, Unavailable) as failure:
            return Reception(error=failure.message)
        except TimeoutError:
            return Reception(error=f"no answer within {post.timeout_seconds:g} seconds")
        except (OSError, http.client.HTTPException) as error:
            late = time.monotonic() >= deadline
            told = f"no answer within {post.timeout_seconds:g} seconds" if late else _reason(error)
            return Reception(error=told)

    @contextlib.contextmanager
    def _connected(self, address: OutwardAddress, deadline: float) -> Iterator[http.client.HTTPConnection]:
        """Connect, and shut the line when the time is up: a receiver that drips a byte a second ends no time-out."""
        line = socket.create_connection((address.address, address.port), timeout=_left(deadline))
        if address.scheme == "https":
            line = self._tls.wrap_socket(line, server_hostname=address.host, do_handshake_on_connect=False)
        end = threading.Timer(_left(deadline), _shut, [line])
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


def _exchange(connection: http.client.HTTPConnection, address: OutwardAddress, post: Post) -> Reception:
    headers = {**post.headers, "Host": address.host_header, "Connection": "close", "Accept-Encoding": "identity"}
    connection.request("POST", address.target, body=post.body, headers=headers)
    answer = connection.getresponse()
    # receivers that write before they look whether anybody listens must not fail for it; what they say is dropped
    with contextlib.suppress(OSError, http.client.HTTPException):
        answer.read(_MOST_READ)
    return Reception(
        status_code=answer.status,
        error=_refusal(answer.status),
        retry_after=_retry_after(answer.getheader("Retry-After")),
        is_final=answer.status == _GONE,
    )


def _refusal(status: int) -> str | None:
    if _OK <= status < _REDIRECT:
        return None
    if _REDIRECT <= status < _ERRORS:
        return f"the receiver answered {status}; redirects are not followed"
    return f"the receiver answered {status}"


def _retry_after(text: str | None) -> timedelta | None:
    """Return what the header asks for, in seconds or as a date; None for none, and for what is no such thing."""
    if text is None:
        return None
    if _SECONDS.fullmatch(text.strip()):
        return timedelta(seconds=min(int(text), 1 << 30))
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    at = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(at - datetime.now(UTC), timedelta(0))


def _reason(error: Exception) -> str:
    """Return what went wrong in words that tell nothing of our network."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return "no secure connection could be made"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, http.client.HTTPException | ConnectionError):
        return "the connection was closed before there was an answer"
    return "the receiver cannot be reached"


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _shut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        socket.socket.shutdown(line, socket.SHUT_RDWR)
