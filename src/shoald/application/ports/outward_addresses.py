"""Where Shoal may connect to on a caller's word: URLs of webhooks, of media."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OutwardAddress:
    """A URL whose address was looked up and may be connected to.

    Whoever connects uses `address`, not the name, which might mean something else a moment later; `host` is for TLS
    and the header.
    """

    scheme: str
    host: str
    port: int
    address: str
    target: str

    @property
    def host_header(self) -> str:
        """The header `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


class OutwardAddresses(Protocol):
    """Says where Shoal may connect to."""

    def check(self, url: str) -> None:
        """Refuse what can be seen to be wrong without asking a name server; raises `AddressRefused` with the reason."""
        ...

    def resolve(self, url: str) -> OutwardAddress:
        """Look the name up and return where to connect to.

        Every address of a name must be allowed. Raises `AddressRefused`, and `Unavailable` when the name is not known
        or its server does not answer.
        """
        ...
