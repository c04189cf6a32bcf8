"""What a provider answers instead of an answer goes in; the kind of failure it is comes out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from shoald.application.ports.language_model import ModelFailure, NoAnswerBecause

_UNAUTHORIZED = frozenset({401, 402, 403})
_LIMITED = frozenset({429, 529})
_TOO_LARGE = 413
_TIMED_OUT = frozenset({408, 504})
_SERVER_ERRORS = 500
_KEY_WORDS = re.compile(r"api[ _-]?key|unauthori[sz]ed|credential|permission", re.IGNORECASE)
_LENGTH_WORDS = re.compile(
    r"context[ _](length|window)|too (long|many tokens|large)|maximum (context|prompt)|exceeds? the", re.IGNORECASE
)
_SHAPE_WORDS = re.compile(r"response_format|json_schema|guided|structured output|responseSchema", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,9}(\.\d+)?")
_MOST_LOOKED_AT = 10_000


def refusal_of(status: int, content: bytes, retry_after: float | None) -> ModelFailure:
    """Return why a provider answered with a status; its own words are looked at and not repeated."""
    said = content[:_MOST_LOOKED_AT].decode("utf-8", "replace")
    kind = _kind(status, said)
    asked = retry_after if retry_after is not None else _delay_in(content)
    return ModelFailure(kind, _WORDS[kind].format(status=status), retry_after_seconds=asked)


def refuses_the_shape(status: int, said: str) -> bool:
    """Say whether a server does not know the parameter that says what an answer looks like."""
    return status in {400, 404, 422, 501} and _SHAPE_WORDS.search(said) is not None


_WORDS = {
    NoAnswerBecause.KEY_REFUSED: "the provider refused the key ({status})",
    NoAnswerBecause.RATE_LIMITED: "the provider limited us ({status})",
    NoAnswerBecause.TOO_LONG: "the question was longer than the model takes ({status})",
    NoAnswerBecause.TIMED_OUT: "the provider gave up after a while ({status})",
    NoAnswerBecause.UNREACHABLE: "the provider had an error of its own ({status})",
    NoAnswerBecause.REQUEST_REFUSED: "the provider did not take the question: a model or parameter that it does not "
    "know ({status})",
}


def _kind(status: int, said: str) -> NoAnswerBecause:
    # Google answers 400 for a wrong key
    if status in _UNAUTHORIZED or (status == 400 and _KEY_WORDS.search(said) and not _LENGTH_WORDS.search(said)):  # noqa: PLR2004 - a bad request
        return NoAnswerBecause.KEY_REFUSED
    if status in _LIMITED:
        return NoAnswerBecause.RATE_LIMITED
    if status in _TIMED_OUT:
        return NoAnswerBecause.TIMED_OUT
    if status >= _SERVER_ERRORS:
        return NoAnswerBecause.UNREACHABLE
    is_long = status == _TOO_LARGE or _LENGTH_WORDS.search(said) is not None
    return NoAnswerBecause.TOO_LONG if is_long else NoAnswerBecause.REQUEST_REFUSED


def pause_asked_by(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that `retry-after-ms` or `retry-after` ask for, as a number or a date; None for none.

    >>> pause_asked_by({"retry-after": "2"}), pause_asked_by({"retry-after-ms": "250"}), pause_asked_by({})
    (2.0, 0.25, None)
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
    except (ValueError, OverflowError):
        return None
    return max(0.0, (until - datetime.now(UTC)).total_seconds()) if until.tzinfo else None


def _delay_in(content: bytes) -> float | None:
    """Return the `retryDelay` of a Google error, in seconds."""
    try:
        details: Any = json.loads(content)["error"]["details"]
        found = next((one["retryDelay"] for one in details if "retryDelay" in one), "")
        return _number(str(found).removesuffix("s"))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text.strip()) else None
