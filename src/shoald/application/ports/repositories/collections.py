"""What the use cases ask of stored collections, their documents and their vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from shoald.application.listing import Selection
from shoald.domain.filters import Condition
from shoald.domain.json_types import JsonObject
from shoald.domain.records.aggregation import Aggregated, Aggregation, DistinctValue, DocumentGroup, Path
from shoald.domain.records.collection import (
    Collection,
    CollectionDocument,
    DocumentBatch,
    ItemBatch,
    SparseVector,
    VectorConfig,
)
from shoald.domain.records.payload_index import DeclaredIndex

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

    def find_many(self, namespace_id: str, ids_or_names: Sequence[str]) -> dict[str, Collection]:
        """Return what `find` returns for each of these words, those that mean none left out; in one query."""
        ...

    def get_many(self, namespace_id: str, collection_ids: Sequence[str]) -> list[Collection]:
        """Return those of the namespace that there are, by id."""
        ...

    def names(self, namespace_id: str, collection_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the names of those of the namespace that there are, by id."""
        ...

    def are_at(self, namespace_id: str, revisions: Mapping[str, int]) -> bool:
        """Say whether all of these collections are there at these revisions; `revisions` goes by their ids."""
        ...

    def of_index(self, index_id: str) -> Collection | None:
        """Return the collection that an index keeps."""
        ...

    def count(self, namespace_id: str, selection: Selection) -> int:
        """Count what `list` would return without limits."""
        ...

    def count_in_listed(self, namespace_id: str, selection: Selection) -> int:
        """Count the documents of all collections that `list` would return without limits."""
        ...

    def lock(self, collection_id: str) -> Collection | None:
        """Return a collection and keep other writers away from it until the transaction ends."""
        ...

    def delete(self, collection_id: str) -> None:
        """Remove a collection with its documents."""
        ...

    def ids_in(self, namespace_id: str, *, hidden: bool = False) -> Sequence[str]:
        """Return the ids of all collections of the namespace, hidden ones too if asked."""
        ...

    def update(self, collection: Collection) -> None:
        """Store name, description and metadata of a collection; raises `AlreadyExists` when the name is taken."""
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

    def documents(self, collection_ids: Sequence[str], selection: Selection) -> list[CollectionDocument]:
        """Return documents in the order of collections and ids unless sorted by other keys.

        `selection.after` is a collection's id and a document's with a slash between them.
        """
        ...

    def scanned(
        self, collection_id: str, condition: Condition | None, *, limit: int | None = None
    ) -> Iterator[Sequence[CollectionDocument]]:
        """Yield the documents that meet the condition in the order of their ids, some at a time, as they are at one
        moment; constant memory.
        """
        ...

    def count_documents(self, collection_ids: Sequence[str], selection: Selection) -> int:
        """Count what `documents` would return without limits."""
        ...

    def document(self, collection_id: str, document_id: str) -> CollectionDocument | None:
        """Return one document."""
        ...

    def document_in_namespace(self, namespace_id: str, document_id: str) -> CollectionDocument | None:
        """Return the newest document of that id in any collection of the namespace."""
        ...

    def documents_in_namespace(self, namespace_id: str, document_ids: Sequence[str]) -> list[CollectionDocument]:
        """Return the newest document of each of these ids in any collection of the namespace."""
        ...

    def document_ids(self, collection_id: str, condition: Condition | None) -> npt.NDArray[np.bytes_]:
        """Return the ids (UTF-8) of the documents that meet the condition, ascending by their bytes."""
        ...

    def payloads(self, collection_id: str, document_ids: Sequence[str]) -> dict[str, JsonObject]:
        """Return the payloads of these documents, by id."""
        ...

    def values(
        self, collection_ids: Sequence[str], document_ids: Sequence[str], path: Path
    ) -> dict[tuple[str, str], Any]:
        """Return the value at a path of these documents, None where there is none, by collection and id.

        Without a value `created_at` and `updated_at` are those of the document itself. Documents that are not there
        are left out; one that lies in several of the collections is there for each.
        """
        ...

    def vectors(
        self, collection_id: str, document_ids: Sequence[str], names: Sequence[str] | None = None
    ) -> dict[str, NamedVectors]:
        """Return the vectors of a few documents, by document id and name; `names` None means all.

        A dense vector is (d,), a multi-vector (t, d) float32.
        """
        ...

    # Changes and deletions. The caller has locked the collection; each raises the revision when it changes anything.

    def change_documents(
        self, collection_id: str, changes: Mapping[str, Callable[[JsonObject], JsonObject]], *, at: datetime
    ) -> list[str]:
        """Change payloads by document id, and return the ids of those that there are."""
        ...

    def change_matching(
        self,
        collection_id: str,
        condition: Condition | None,
        change: Callable[[JsonObject], JsonObject],
        *,
        at: datetime,
    ) -> int:
        """Change the payloads of all documents that meet the condition, in constant memory, and say how many."""
        ...

    def delete_documents(self, collection_id: str, document_ids: Sequence[str], *, at: datetime) -> list[str]:
        """Remove documents with their vectors, and return the ids of those that there were."""
        ...

    def delete_matching(self, collection_id: str, condition: Condition, *, at: datetime) -> int:
        """Remove all documents that meet the condition with their vectors, and say how many."""
        ...

    # Questions about many documents.

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """Bound what is asked of the database from here to the end of the transaction, each statement by itself.

        Leaving the block raises `DeadlineExceeded` for one that took longer, with what is quick.
        """
        ...

    def document_groups(
        self, collection_ids: Sequence[str], selection: Selection, path: Path, *, most: int
    ) -> tuple[list[DocumentGroup], int]:
        """Return groups of documents by the value at a path, the largest first, and how many groups there are.

        The selection's limits are those of groups; of each group the first `most` documents are returned.
        """
        ...

    def aggregate(self, collection_id: str, asked: Aggregation) -> Aggregated:
        """Return figures over groups of documents."""
        ...

    def distinct(
        self, collection_id: str, path: Path, *, condition: Condition | None, limit: int
    ) -> list[DistinctValue]:
        """Return the values of a field with the number of documents that have each, the most frequent first."""
        ...

    # Indexes of payload fields. What is written keeps their values by itself.

    def declared_indexes(self, namespace_id: str) -> Sequence[DeclaredIndex]:
        """Return the indexes that a namespace declares."""
        ...

    def unfinished_indexes(self) -> Sequence[DeclaredIndex]:
        """Return the indexes of all namespaces that are building or removing."""
        ...

    def advance_index(self, index: DeclaredIndex, most: int) -> int | None:
        """Store the values of the next documents, of one collection that is locked first, or take them away.

        Returns the number of documents; None when all are done, or the index is not as it was.
        """
        ...

    def finish_index(self, index: DeclaredIndex) -> None:
        """Let pages ask a built index from now on, or forget a removed one; not one that is not as it was."""
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
