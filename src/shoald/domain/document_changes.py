"""A payload and fields to set go in; the changed payload comes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shoald.domain.json_types import JsonObject

METADATA = "metadata"


def with_fields(payload: JsonObject, fields: JsonObject, *, merges_metadata: bool = False) -> dict[str, Any]:
    """Return the payload with these fields set; a key with dots sets a field within and keeps its neighbours.

    With `merges_metadata` each key of `metadata` is set by itself, and null removes it.

    >>> with_fields({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 5, "b.c": 6})
    {'a': 5, 'b': {'c': 6, 'd': 3}}
    >>> with_fields({"metadata": {"x": 1, "y": 2}}, {"metadata": {"x": None, "z": 3}}, merges_metadata=True)
    {'metadata': {'y': 2, 'z': 3}}
    """
    changed = dict(payload)
    for key, value in fields.items():
        if merges_metadata and key == METADATA and isinstance(value, Mapping):
            changed[key] = _merged(changed.get(key), value)
        else:
            _set(changed, key.split("."), value)
    return changed


def _merged(known: Any, given: JsonObject) -> dict[str, Any]:
    both = {**known, **given} if isinstance(known, Mapping) else dict(given)
    return {key: value for key, value in both.items() if value is not None}


def _set(target: dict[str, Any], path: list[str], value: Any) -> None:
    """Set a field within; what stands in the way and is no object gives way to one."""
    for name in path[:-1]:
        inner = target.get(name)
        target[name] = dict(inner) if isinstance(inner, Mapping) else {}
        target = target[name]
    target[path[-1]] = value
