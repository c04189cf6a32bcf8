"""Which addresses Shoal may connect to on somebody's word: an IP address goes in, what speaks against it comes out.

`ipaddress.is_global` lets pass what leads inside by another spelling (NAT64, 6to4, Teredo, IPv4 within IPv6) and
multicast, so the lists are ours: of IPv4 what IANA's special-purpose registry names, of IPv6 all but global unicast.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL_4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")
# within global unicast: protocol assignments with Teredo, documentation (twice), 6to4, AS112
_SPECIAL_6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)


def networks_of(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks from their texts; raises `ValueError` for one that is none.

    >>> networks_of(["10.0.0.0/8", " ::1 "])
    (IPv4Network('10.0.0.0/8'), IPv6Network('::1/128'))
    """
    return tuple(ip_network(text.strip()) for text in texts if text.strip())


def is_within(address: Address, networks: Sequence[Network]) -> bool:
    """Say whether an address is in one of the networks, IPv4 within IPv6 by what it stands for."""
    plain = _plain(address)
    return any(plain.version == network.version and plain in network for network in networks)


def is_public(address: Address) -> bool:
    """Say whether an address is somebody's on the public internet.

    >>> [is_public(ip_address(text)) for text in ("93.184.215.14", "2606:4700::1111")]
    [True, True]
    >>> [is_public(ip_address(text)) for text in ("::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::")]
    [False, False, False]
    """
    plain = _plain(address)
    if isinstance(plain, IPv4Address):
        return not any(plain in network for network in _SPECIAL_4)
    return plain in _GLOBAL_6 and not any(plain in network for network in _SPECIAL_6) and plain.scope_id is None


def parsed(text: str) -> Address:
    """Return the address that a resolver gave as text; raises `ValueError`."""
    return ip_address(text)


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address merely wraps (`::ffff:…`), else the address."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
