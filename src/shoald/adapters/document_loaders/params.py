"""Loader parameters, checked one by one: what is wrong is named, with what would be right."""

from __future__ import annotations

from shoald.adapters.document_loaders.reading import UnusableFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def check_names(params: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse a parameter that the loader does not have."""
    for name in params:
        if name not in known:
            raise UnusableFile(f"loader_params.{name} does not apply here; known: {', '.join(known) or 'none'}")


def whole_number(params: Mapping[str, Any], name: str, *, default: int, most: int, meaning: str) -> int:
    """Return a number from 1 to `most`; texts and floats that are whole count as such."""
    value = params.get(name)
    if value is None:
        return default
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if isinstance(value, bool) or (isinstance(value, float) and value != number) or not 1 <= number <= most:
        raise UnusableFile(f"loader_params.{name} must be a whole number from 1 to {most}: {meaning}")
    return number


def one_of(params: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    """Return one of the known words, the first when none is given; case does not count."""
    value = params.get(name)
    if value is None:
        return known[0]
    word = value.lower() if isinstance(value, str) else value
    if word not in known:
        raise UnusableFile(f"loader_params.{name} must be one of {', '.join(known)}; it is {str(value)[:50]!r}")
    return str(word)


def claim(params: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """Return true or false."""
    value = params.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise UnusableFile(f"loader_params.{name} must be true or false")
    return value
