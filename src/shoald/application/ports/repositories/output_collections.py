"""What the use cases ask of the collections that runs write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from shoald.domain.json_types import JsonObject
from shoald.domain.records.output_collection import OutputCollection


class OutputCollectionRepository(Protocol):
    """Which collections hold the output of which clusters; their documents are those of `CollectionRepository`."""

    def lock(self, cluster_id: str) -> None:
        """Keep other writers of the cluster's output away until the transaction ends."""
        ...

    def of_clusters(self, cluster_ids: Sequence[str]) -> Mapping[str, Sequence[OutputCollection]]:
        """Return those that there are, by cluster, each list in the order of its features."""
        ...

    def put(self, output: OutputCollection) -> None:
        """Note the collection of a cluster and feature, and the run that wrote it, in the place of what was noted."""
        ...

    def take(self, cluster_id: str) -> Sequence[str]:
        """Forget the collections of a cluster, which stay as they are, and return their ids."""
        ...

    def relabel(self, collection_id: str, labels: Mapping[str, str | None]) -> int:
        """Put these labels, by group, into the documents that carry others, and say how many those were.

        The caller has locked the collection.
        """
        ...

    def place(self, collection_id: str, places: Mapping[str, JsonObject]) -> None:
        """Put coordinates into those documents, by id, that there are. The caller has locked the collection."""
        ...
