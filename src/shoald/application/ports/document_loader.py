"""A document's bytes to segments; runs in a limited child process, since files come from strangers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SetItem


class DocumentLoader(Protocol):
    """Loads segments from a file."""

    def load(self, path: str, *, filename: str, loader_type: str, loader_params: JsonObject) -> Iterator[SetItem]:
        """Yield the segments of the file at `path` in document order, with fresh item ids, in flat memory.

        Raises `UnsupportedLoader`, or `InvalidLoaderParams` with the reason (bad parameter, unreadable
        file, a limit passed), or `Unavailable` when the reading process was lost.
        """
        ...
