"""How long to wait for an endpoint that limits its callers: what it asks for, what it announces, and our own bounds."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_TICK_SECONDS = 0.5
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_CHARACTERS_A_TOKEN = 3  # fewer than most texts have, so that a request is rather thought too large
_KINDS = ("requests", "tokens")


@dataclass(frozen=True, slots=True)
class Patience:
    """Pauses grow from `first_wait` by twice, a quarter more or less, up to `longest_wait`; `tell` may end them."""

    tries: int
    first_wait: float
    longest_wait: float
    tell: Callable[[], None] = lambda: None

    def pause(self, tried: int, asked_for: float | None) -> None:
        """Wait before the next try: as long as the endpoint asked for, or else the longer the more was tried."""
        grown = self.first_wait * 2 ** (tried - 1) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        self.wait(grown if asked_for is None else asked_for)

    def wait(self, seconds: float) -> None:
        """Wait, within our bounds, and tell now and then that we still do."""
        ends = time.monotonic() + min(seconds, self.longest_wait)
        while (remaining := ends - time.monotonic()) > 0:
            time.sleep(min(remaining, _TICK_SECONDS))
            self.tell()


class Pace:
    """What an endpoint has announced of its limits: how much may still be asked before which moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}

    def note(self, headers: Mapping[str, str]) -> None:
        """Keep what an answer says: `x-ratelimit-remaining-tokens: 100`, `x-ratelimit-reset-tokens: 1m2s`."""
        now = time.monotonic()
        for kind in _KINDS:
            remaining = _number(headers.get(f"x-ratelimit-remaining-{kind}"))
            span = seconds_of(headers.get(f"x-ratelimit-reset-{kind}"))
            if remaining is not None and span is not None:
                with self._lock:
                    self._left[kind] = (remaining, now + span)

    def pause_before(self, texts: Sequence[str]) -> float:
        """Return the seconds after which so many texts may be asked for, 0 for now."""
        needed = {"requests": 1.0, "tokens": sum(map(len, texts)) / _CHARACTERS_A_TOKEN}
        now = time.monotonic()
        with self._lock:
            waits = [ends - now for kind, (left, ends) in self._left.items() if left < needed[kind]]
        return max(0.0, *waits, 0.0)


def asked_pause(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a refusal asks to wait: `retry-after-ms`, or `retry-after` as seconds or a date.

    >>> asked_pause({"retry-after-ms": "1500"}), asked_pause({"retry-after": "2.5"}), asked_pause({})
    (1.5, 2.5, None)
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    given = headers.get("retry-after")
    seconds = _number(given)
    if seconds is not None or given is None:
        return seconds
    try:
        until = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None


def seconds_of(span: str | None) -> float | None:
    """Return a span of time as endpoints write it, in seconds.

    >>> seconds_of("1m30s"), seconds_of("250ms"), seconds_of("7"), seconds_of("soon")
    (90.0, 0.25, 7.0, None)
    """
    if span is None:
        return None
    parts = _SPAN.findall(span)
    if parts and "".join(number + unit for number, unit in parts) == span:
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    return _number(span)


def _number(text: str | None) -> float | None:
    is_number = text is not None and re.fullmatch(r"\d{1,12}(\.\d+)?", text.strip())
    return float(text) if text is not None and is_number else None
