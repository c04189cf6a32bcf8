"""Those who carry messages out: posts over HTTP, and mail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One request: the body goes out byte for byte, `timeout_seconds` bound all of it from the name to the answer."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message by email."""

    message_id: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    subject: str
    text: str
    is_html: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What came of a message. `status_code` is None where there was no answer; `error` is None when it was taken.

    Texts of the receiver are not among it: an answer from inside a network must not be readable from outside.
    """

    status_code: int | None = None
    error: str | None = None
    retry_after: timedelta | None = None
    is_final: bool = False

    @property
    def was_taken(self) -> bool:
        """Whether the receiver has it."""
        return self.error is None


class Poster(Protocol):
    """Sends posts to addresses that are allowed."""

    def send(self, post: Post) -> Reception:
        """Send it once; follows no redirect, reads no more of the answer than it needs, raises nothing foreseen.

        `is_final` says that trying again is useless: the receiver answered 410, or the message is too long.
        """
        ...


class Mailer(Protocol):
    """Hands mail to the installation's mail server."""

    def send(self, mail: Mail) -> Reception:
        """Hand it over once; `is_final` when the server refuses it for good. Raises nothing foreseen."""
        ...
