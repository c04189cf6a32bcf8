"""Reads `chunker_params` as the document means them; whatever it cannot read is named."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from shoald.domain.failures import InvalidChunkerParams
from shoald.domain.json_types import JsonObject

DEFAULT_CHUNK_SIZE = 4000
DEFAULT_CHUNK_OVERLAP = 200
MOST = 1_000_000_000
"""No text is longer; a number that no machine word holds is refused here rather than met later."""


def refuse(name: str, value: Any, reason: str) -> InvalidChunkerParams:
    """Return the failure for one parameter."""
    return InvalidChunkerParams(f"chunker_params.{name} {reason}", detail={"parameter": name, "value": value})


def check_names(params: JsonObject, known: Collection[str]) -> None:
    """Refuse a parameter that the strategy does not have: a typing error would else go unnoticed."""
    for name, value in params.items():
        if name not in known:
            raise refuse(name, value, f"does not apply here; known are {', '.join(sorted(known)) or 'none'}")


def integer(params: JsonObject, name: str, default: int, *, at_least: int) -> int:
    """Return a whole number; `5`, `5.0` and `"5"` are the same, null and absent are the default.

    >>> integer({"chunk_size": "800"}, "chunk_size", 4000, at_least=1)
    800
    """
    value = params.get(name)
    if value is None:
        return default
    number = _whole(value)
    if number is None:
        raise refuse(name, value, "must be a whole number")
    if number < at_least:
        raise refuse(name, value, f"must be at least {at_least}")
    if number > MOST:
        raise refuse(name, value, f"must be at most {MOST}")
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str) and len(value) <= 20:  # noqa: PLR2004 - more digits than any size has
        try:
            return int(value)
        except ValueError:
            return None
    return None


def number(params: JsonObject, name: str, default: float, *, between: tuple[float, float]) -> float:
    """Return a number within the bounds, both allowed; null and absent are the default.

    >>> number({"threshold": "0.5"}, "threshold", 0.6, between=(-1, 1))
    0.5
    """
    value = params.get(name)
    if value is None:
        return default
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    lowest, highest = between
    if not lowest <= found <= highest:
        raise refuse(name, value, f"must be a number from {lowest:g} to {highest:g}")
    return found


def size_and_overlap(params: JsonObject) -> tuple[int, int]:
    """Return `chunk_size` and `chunk_overlap`; the overlap must be less than the size.

    Where the default overlap would not be, an overlap that was not given is the same part of the size as it is
    by default: a twentieth.
    """
    size = integer(params, "chunk_size", DEFAULT_CHUNK_SIZE, at_least=1)
    default = DEFAULT_CHUNK_OVERLAP if size > DEFAULT_CHUNK_OVERLAP else size // 20
    overlap = integer(params, "chunk_overlap", default, at_least=0)
    if overlap >= size:
        raise refuse("chunk_overlap", params.get("chunk_overlap"), f"must be less than chunk_size ({size})")
    return size, overlap


def text(params: JsonObject, name: str) -> str | None:
    """Return a text; null, absent and empty are None."""
    value = params.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise refuse(name, value, "must be a text")
    return value


def choice(params: JsonObject, name: str, default: str, *, known: Collection[str]) -> str:
    """Return one of the known words, in any case; null, absent and empty are the default."""
    given = text(params, name)
    word = default if given is None else given.lower()
    if word not in known:
        raise refuse(name, given, f"must be one of {', '.join(sorted(known))}")
    return word


def texts(params: JsonObject, name: str, *, at_most: int, longest: int) -> tuple[str, ...]:
    """Return a list of so many texts of so many characters at most; null and absent are the empty one."""
    value = params.get(name)
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise refuse(name, value, "must be a list of texts")
    if len(value) > at_most:
        raise refuse(name, len(value), f"must have at most {at_most} entries")
    if any(len(item) > longest for item in value):
        raise refuse(name, max(map(len, value)), f"must be texts of at most {longest} characters")
    return tuple(value)
