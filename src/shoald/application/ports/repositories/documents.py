"""What the use cases ask of stored documents and their versions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.domain.records.document import Document, DocumentVersion, StoredContent


class DocumentRepository(Protocol):
    """Stored documents and versions; reads see what is not deleted, in projects of the namespace."""

    def add(self, document: Document, version: DocumentVersion) -> None:
        """Store a new document with its first version."""
        ...

    def add_version(self, document: Document, version: DocumentVersion) -> None:
        """Store another version, now the active one, and what changed in its document; the caller holds its lock."""
        ...

    def active_version(self, document_id: str) -> DocumentVersion | None:
        """Return the active version of a document, None when it is deleted."""
        ...

    def get(self, document_id: str, *, namespace_id: str) -> Document | None:
        """Return a document that is not deleted."""
        ...

    def get_for_change(self, document_id: str, *, namespace_id: str) -> Document | None:
        """Return a document and keep others from changing it, or what is active in it, until the transaction ends."""
        ...

    def list(self, project_id: str, *, offset: int, limit: int, content_hash: str | None = None) -> Sequence[Document]:
        """Return the documents of a project that are not deleted, newest first, ties by id.

        With a `content_hash`, those whose active version has these bytes.
        """
        ...

    def get_version(self, version_id: str, *, namespace_id: str) -> tuple[DocumentVersion, Document] | None:
        """Return a version that is not deleted, with its document, which may be deleted."""
        ...

    def of_segment_set(self, segment_set_id: str) -> tuple[str, Document] | None:
        """Return the version that a segment set was made of, by its id, and its document; None for a joined set."""
        ...

    def of_versions(self, version_ids: Sequence[str]) -> dict[str, Document]:
        """Return the documents of these versions, deleted ones included, by version id."""
        ...

    def hidden_in(self, project_id: str) -> Sequence[str]:
        """Return the versions of a project that are deleted, or whose document is."""
        ...

    def hidden_beside(self, segment_set_id: str) -> Sequence[str]:
        """Return the versions of a joined set's project that are deleted, or whose document is; none for another set.

        Their passages may be in the set, and are not to be shown.
        """
        ...

    def list_versions(self, document_id: str, *, offset: int, limit: int) -> Sequence[DocumentVersion]:
        """Return the versions of a document that are not deleted, newest first, ties by id."""
        ...

    def lock_version(self, version_id: str) -> None:
        """Keep others from changing which segment set of the version is active until the transaction ends."""
        ...

    def of_contents(self, project_id: str, hashes: Sequence[str]) -> Sequence[StoredContent]:
        """Return the documents whose active version has one of these contents, oldest first, ties by id."""
        ...
