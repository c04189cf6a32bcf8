"""URLs that callers name are taken apart, looked up and checked: what may be connected to comes out."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from urllib.parse import SplitResult, quote, urlsplit

from shoald.application.ports.outward_addresses import OutwardAddress
from shoald.domain.failures import AddressRefused, Unavailable
from shoald.domain.network_addresses import Address, Network, is_public, is_within, parsed

_PORTS = {"http": 80, "https": 443}
_LONGEST_URL = 2_000
_ASCII = bytes(range(0x21, 0x7F))
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f-\x9f\\]")
_INNER_NAMES = ("localhost", "local", "internal", "home.arpa")

Lookup = Callable[[str, int], Sequence[str]]


def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name, in the order in which the system would try them; raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class CheckedAddresses:
    """`OutwardAddresses` over the system's resolver.

    `private` are networks that are allowed beside the public ones, on every port; elsewhere only `ports` are.
    """

    def __init__(
        self, *, private: Sequence[Network] = (), ports: Sequence[int] = (80, 443), look_up: Lookup = look_up
    ) -> None:
        self._private = private
        self._ports = frozenset(ports)
        self._look_up = look_up

    def check(self, url: str) -> None:
        """Look at the URL, and at the address where the host is one, in any of its spellings."""
        parts, port = _parts_of(url)
        numeric = _numeric(parts.hostname or "")
        if numeric is not None:
            self._allow(url, parts.hostname or "", numeric, port)
        elif not self._private:
            # which address a name has is seen when it is connected to; these have none outside
            _refuse_inner_name(url, parts.hostname or "")
            self._allow_port(url, port)

    def resolve(self, url: str) -> OutwardAddress:
        """Ask the resolver once, and check what it said."""
        parts, port = _parts_of(url)
        host = _ascii(url, parts.hostname or "")
        addresses = self._addresses(host, port)
        for address in addresses:
            self._allow(url, host, address, port)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_ASCII)
        return OutwardAddress(scheme=parts.scheme, host=host, port=port, address=str(addresses[0]), target=target)

    def _addresses(self, host: str, port: int) -> list[Address]:
        try:
            found = [parsed(text) for text in self._look_up(host, port)]
        except (OSError, ValueError) as error:
            raise Unavailable(f"The name {host!r} is not known.") from error
        if not found:
            raise Unavailable(f"The name {host!r} has no address.")
        return found

    def _allow(self, url: str, host: str, address: Address, port: int) -> None:
        if is_within(address, self._private):
            return
        if not is_public(address):
            raise _refused(url, f"{host} is not an address on the public internet")
        self._allow_port(url, port)

    def _allow_port(self, url: str, port: int) -> None:
        if port not in self._ports:
            raise _refused(url, f"port {port} is not among {', '.join(map(str, sorted(self._ports)))}")


def _parts_of(url: str) -> tuple[SplitResult, int]:
    """Take a URL apart; what parsers of URLs are known to read differently is refused."""
    if len(url) > _LONGEST_URL or _UNPRINTABLE.search(url):
        raise _refused(url, f"a URL has at most {_LONGEST_URL} characters, none of them blank, control or backslash")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise _refused(url, str(error)) from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise _refused(url, "a URL begins with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused(url, "a URL has neither a user, nor a password, nor a fragment")
    return parts, _PORTS[parts.scheme] if port is None else port


def _numeric(host: str) -> Address | None:
    """Return the address that a host is, decimal, octal and hexadecimal spellings included; None for a name."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return parsed(str(found[0][4][0]))
    except (OSError, ValueError):
        return None


def _ascii(url: str, host: str) -> str:
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError as error:
        raise _refused(url, f"{host!r} is no host name") from error


def _refuse_inner_name(url: str, host: str) -> None:
    name = host.rstrip(".").lower()
    if "." not in name or any(name == inner or name.endswith(f".{inner}") for inner in _INNER_NAMES):
        raise _refused(url, f"{host} is no name on the public internet")


def _refused(url: str, reason: str) -> AddressRefused:
    return AddressRefused(f"Shoal does not connect to this URL: {reason}.", detail={"url": _without_secrets(url)})


def _without_secrets(url: str) -> str:
    """Return a URL's beginning without user and query, as it may stand in an answer or a log."""
    bare = url.split("?", maxsplit=1)[0]
    scheme, separator, rest = bare.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"[:200]
