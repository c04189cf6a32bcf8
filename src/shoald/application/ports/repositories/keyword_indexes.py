"""What the use cases ask of the stored keyword indexes of sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shoald.application.ports.object_store import StoredObject


@dataclass(frozen=True, slots=True, kw_only=True)
class KeywordFiles:
    """The two objects that a set is searched with: its texts, and which of them have which words."""

    set_id: str
    texts: StoredObject
    words: StoredObject
    created_at: datetime


class KeywordIndexRepository(Protocol):
    """The files of each set; sets never change, so whoever makes them makes the same."""

    def get(self, set_id: str) -> KeywordFiles | None:
        """Return the files of a set, None when they were never made."""
        ...

    def put(self, files: KeywordFiles) -> None:
        """Store which files a set has, instead of those it had."""
        ...
