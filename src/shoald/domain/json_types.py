"""Names for free JSON as it travels between contract, records and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

JsonObject = Mapping[str, Any]
"""A JSON object: finite numbers, text without NUL, integers within ±2^53 (what a protobuf Struct carries exactly)."""


class JsonText(Mapping[str, Any]):
    """A JSON object as its text, which is taken apart only when a member is asked for.

    >>> stored = JsonText('{"page": 3}')
    >>> stored["page"], stored == {"page": 3}, {**stored, "row": 1}
    (3, True, {'page': 3, 'row': 1})
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _members(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(self.text, parse_int=_whole)
        return members

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def _whole(digits: str) -> int | float:
    """Return the number of these digits: beyond 64 bits, which few writers of JSON take, it was a float (1e20)."""
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(digits)


def opened_text(value: JsonObject) -> str:
    """Return the text of an object up to its end, ready for further members, of which the last of a name counts.

    >>> opened_text(JsonText('{"page": 3}')), opened_text({})
    ('{"page": 3, ', '{')
    """
    text = value.text if isinstance(value, JsonText) else json.dumps(value, ensure_ascii=False, default=dict)
    inner = text.strip()[:-1]
    return f"{inner}, " if inner.strip() != "{" else "{"


MOST_LEVELS = 24
"""How deep a free object may be nested. Protobuf's readers stop at 100 messages, of which each level takes three;
the answers that show a stored object need the rest."""
_LARGEST_EXACT = 2**53


def flaw_of(value: Any, levels: int = MOST_LEVELS) -> str | None:
    r"""Return what keeps parsed JSON from being stored and shown again as it is, or None.

    >>> flaw_of({"a": [1, "b", None]}), flaw_of({"a": "\0"}), flaw_of([2**53 + 1])
    (None, 'text must not contain NUL characters', 'integers beyond 2^53 are not carried exactly')
    """
    if isinstance(value, str):
        return "text must not contain NUL characters" if "\0" in value else None
    if isinstance(value, int):
        return "integers beyond 2^53 are not carried exactly" if abs(value) > _LARGEST_EXACT else None
    if not isinstance(value, dict | list):
        return None
    if levels == 0:
        return f"objects and lists may be nested at most {MOST_LEVELS} levels deep"
    members = [*value, *value.values()] if isinstance(value, dict) else value
    return next((flaw for member in members if (flaw := flaw_of(member, levels - 1))), None)
