"""What the use cases ask of stored collections, their documents and their vectors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from shoald.application.listing import Selection
from shoald.domain.filters import Condition
from shoald.domain.json_types import JsonObject
from shoald.domain.records.collection import (
    Collection,
    CollectionDocument,
    DocumentBatch,
    ItemBatch,
    SparseVector,
    VectorConfig,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    NamedVectors = dict[str, npt.NDArray[np.float32] | SparseVector]


class CollectionRepository(Protocol):
    """Stored collections."""

    def add(self, collection: Collection) -> None:
        """Store an empty collection; raises `AlreadyExists` when its name is taken in its namespace."""
        ...

    def find(self, namespace_id: str, id_or_name: str) -> Collection | None:
        """Return the collection of the namespace with this id, else the one with this name.

        That of an index is not found, nor listed, while the index or what its documents came from is deleted.
        """
        ...

    def is_taken(self, namespace_id: str, name: str) -> bool:
        """Say whether there is a collection of this name, be it that it is not found."""
        ...

    def get_many(self, namespace_id: str, collection_ids: Sequence[str]) -> list[Collection]:
        """Return those of the namespace that there are, by id."""
        ...

    def of_index(self, index_id: str) -> Collection | None:
        """Return the collection that an index keeps."""
        ...

    def count(self, namespace_id: str, selection: Selection) -> int:
        """Count what `list` would return without limits."""
        ...

    def lock(self, collection_id: str) -> Collection | None:
        """Return a collection and keep other writers away from it until the transaction ends."""
        ...

    def delete(self, collection_id: str) -> None:
        """Remove a collection with its documents."""
        ...

    def set_vector_configs(self, collection_id: str, configs: Sequence[VectorConfig]) -> None:
        """Say which named vectors the documents have."""
        ...

    # Documents. The caller has locked the collection and checked dimensions.

    def put_documents(self, collection_id: str, batches: Iterable[DocumentBatch], *, at: datetime) -> int:
        """Store documents in bulk; one that is there is replaced with all of its vectors. Raises the revision.

        Ids within one batch are unique. Returns the number stored. Constant memory beside one batch.
        """
        ...

    def replace_documents(
        self,
        collection_id: str,
        batches: Iterable[DocumentBatch | ItemBatch],
        *,
        at: datetime,
        index_build_id: str | None = None,
    ) -> int:
        """Put these documents in the place of all that there are, and note the build they come from.

        Items that are stored here already are copied within the store. Ids are unique over all batches. Raises the
        revision. Returns the number stored. Constant memory beside one batch.
        """
        ...

    def documents(self, collection_id: str, selection: Selection) -> list[CollectionDocument]:
        """Return documents in the order of their ids unless sorted by other keys."""
        ...

    def count_documents(self, collection_id: str, selection: Selection) -> int:
        """Count what `documents` would return without limits."""
        ...

    def document(self, collection_id: str, document_id: str) -> CollectionDocument | None:
        """Return one document."""
        ...

    def document_in_namespace(self, namespace_id: str, document_id: str) -> CollectionDocument | None:
        """Return the newest document of that id in any collection of the namespace."""
        ...

    def document_ids(self, collection_id: str, condition: Condition | None) -> npt.NDArray[np.bytes_]:
        """Return the ids (UTF-8) of the documents that meet the condition, ascending by their bytes."""
        ...

    def payloads(self, collection_id: str, document_ids: Sequence[str]) -> dict[str, JsonObject]:
        """Return the payloads of these documents, by id."""
        ...

    def vectors(
        self, collection_id: str, document_ids: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, NamedVectors]:
        """Return the vectors of a few documents, by document id and name; `names` None means all.

        A dense vector is (d,), a multi-vector (t, d) float32.
        """
        ...

    # Keys of repeated upserts.

    def answered_under(self, namespace_id: str, key: str) -> tuple[bytes, JsonObject] | None:
        """Return the request hash and the answer stored under an idempotency key."""
        ...

    def keep_answer(self, namespace_id: str, key: str, request_hash: bytes, answer: JsonObject, at: datetime) -> None:
        """Store an answer under an idempotency key; raises `Unavailable` while another call stores one."""
        ...

    def list(self, namespace_id: str, selection: Selection) -> list[Collection]:
        """Return collections, newest first unless sorted."""
        ...
