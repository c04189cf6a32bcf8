"""One POST with a deadline over all of it goes out; the JSON that came back, or why there is none, comes out.

httpx bounds the wait for each piece, not for the whole: a provider that drips a byte a second would never end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from shoald.adapters.language_models.refusals import pause_asked_by, refusal_of
from shoald.application.ports.language_model import ModelFailure, NoAnswerBecause

MOST_READ = 4 << 20
"""Bytes of an answer that are read; more than any name needs."""

_OK, _REDIRECT = 200, 300
_LEAST_SECONDS = 0.1
_MOST_TOKENS = 100_000_000


def post_json(
    client: httpx.Client, url: str, body: Mapping[str, Any], headers: Mapping[str, str], *, timeout_seconds: float
) -> Mapping[str, Any]:
    """Send a question and return the object that came back; raises `ModelFailure`. Follows no redirect."""
    ends = time.monotonic() + timeout_seconds
    try:
        request = client.build_request("POST", url, json=body, headers=dict(headers), timeout=timeout_seconds)
        with_stream = client.send(request, stream=True)
        try:
            content = read_in_time(with_stream.iter_bytes(), ends)
        finally:
            with_stream.close()
    except (httpx.TimeoutException, TimeoutError) as error:
        raise late(timeout_seconds) from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last: of a key that no header can hold
        raise ModelFailure(NoAnswerBecause.UNREACHABLE, "the model's server could not be reached") from error
    if not _OK <= with_stream.status_code < _REDIRECT:
        raise refusal_of(with_stream.status_code, content, pause_asked_by(with_stream.headers))
    return answered_object(content)


def seconds_until(ends: float) -> float:
    """Return the seconds until a moment of the monotonic clock, a tenth at least."""
    return max(_LEAST_SECONDS, ends - time.monotonic())


def read_in_time(pieces: Iterable[bytes], ends: float) -> bytes:
    """Return the bytes of an answer; raises `TimeoutError` past a moment, `ModelFailure` for more than `MOST_READ`."""
    found, size = [], 0
    for piece in pieces:
        if time.monotonic() > ends:
            raise TimeoutError
        found.append(piece)
        size += len(piece)
        if size > MOST_READ:
            raise ModelFailure(NoAnswerBecause.NOTHING_SAID, f"the answer had more than {MOST_READ} bytes")
    return b"".join(found)


def late(timeout_seconds: float) -> ModelFailure:
    """Return what says that the time was over."""
    message = f"there was no whole answer within {timeout_seconds:.3g} seconds"
    return ModelFailure(NoAnswerBecause.TIMED_OUT, message)


def answered_object(content: bytes) -> Mapping[str, Any]:
    """Return the object that came back; raises `ModelFailure` for all else."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, "what came back was no JSON") from error
    if not isinstance(found, dict):
        raise ModelFailure(NoAnswerBecause.NOTHING_SAID, "what came back was no answer of this provider")
    return found


def counted(found: Mapping[str, Any], group: str, name: str) -> int | None:
    """Return a count of tokens that an answer gives; None for what is none, or more than any model takes."""
    counts = found.get(group)
    value = counts.get(name) if isinstance(counts, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None
