"""A document's bytes to segments; runs in a limited child process, since files come from strangers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SetItem

KeepPicture = Callable[[bytes, str], JsonObject]
"""Takes the bytes and the media type of a picture, keeps them, and returns what the item's metadata says of it."""


class DocumentLoader(Protocol):
    """Loads segments from a file."""

    def load(
        self,
        path: str,
        *,
        filename: str,
        loader_type: str,
        loader_params: JsonObject,
        keep: KeepPicture | None = None,
    ) -> Iterator[SetItem]:
        """Yield the segments of the file at `path` in document order, with fresh item ids, in flat memory.

        A `parent_id` names an item that came before. Pictures in the file go to `keep`; without it they are dropped.

        Raises `UnsupportedLoader`, or `InvalidLoaderParams` with the reason (bad parameter, unreadable
        file, a limit passed), or `Unavailable` when the reading process was lost.
        """
        ...

    def check(self, loader_type: str, loader_params: JsonObject) -> None:
        """Raise what `load` would for a loader or for parameters that are wrong whatever the file; one child's time."""
        ...
