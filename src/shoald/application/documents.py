"""Documents and their versions: a file's bytes go in piece by piece, and come out again, all of them or a part."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoald.application import producers
from shoald.application.access import Caller
from shoald.application.projects import visible_project
from shoald.application.whole_lists import Listed, ListRange, read_list
from shoald.domain.failures import DocumentNotFound, DocumentVersionNotFound, InvalidFields, TooLarge, Unavailable
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.document import Document, DocumentVersion, StoredContent
from shoald.domain.vocabulary import RunStatus

if TYPE_CHECKING:
    from datetime import datetime

    from shoald.application.ports.clock import Clock
    from shoald.application.ports.object_store import ObjectStore, ObjectWriter, StoredObject
    from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork

Store = Callable[["StoredObject", "FileInfo"], tuple[Document, DocumentVersion]]

DEFAULT_MIME = "application/octet-stream"
_DEFAULT_FILENAME = "upload"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileInfo:
    """What an upload says of its file; `filename` is reduced to its last path component.

    `source_path` is the caller's own name for where the file came from, by which it knows it again. `sha256`, in
    lower-case hex, is that of the bytes: others are refused.
    """

    filename: str
    mime: str | None = None
    parser_params: JsonObject | None = None
    source_path: str | None = None
    sha256: str | None = None


class Upload:
    """One file on its way in: `write` its pieces, then `finish`. Leaving it unfinished stores nothing."""

    def __init__(self, writer: ObjectWriter, store: Store, most_bytes: int) -> None:
        self._writer = writer
        self._store = store
        self._most_bytes = most_bytes
        self._size = 0

    def write(self, piece: bytes) -> None:
        """Take the next bytes; raises `TooLarge`, `StorageFull`."""
        self._size += len(piece)
        if self._size > self._most_bytes:
            raise TooLarge(
                f"The file has more than {self._most_bytes} bytes.", detail={"max_upload_bytes": self._most_bytes}
            )
        self._writer.write(piece)

    def finish(self, info: FileInfo) -> tuple[Document, DocumentVersion]:
        """Publish the bytes under their hash (equal bytes are stored once), and store document and version.

        Raises `InvalidFields` when that is not the hash which was announced; the sweep removes the bytes.
        """
        stored = self._writer.publish()
        if info.sha256 not in {None, stored.sha256}:
            message = f"Value error, the bytes that came have the SHA-256 {stored.sha256}"
            raise InvalidFields.field("body", "info", "sha256", message=message, value=info.sha256)
        return self._store(stored, info)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionContent:
    """The bytes of a version; `parts(start, end)` yields those from `start` to before `end` (None: to the end)."""

    version: DocumentVersion
    parts: Callable[[int, int | None], Iterator[bytes]]


class Documents:
    """Takes files in and reads what is known of them."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, objects: ObjectStore, max_upload_bytes: int
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._max_upload_bytes = max_upload_bytes

    @contextlib.contextmanager
    def upload(self, caller: Caller, project_id: str) -> Iterator[Upload]:
        """Start an upload into a project, in constant memory; raises `ProjectNotFound` before a byte is taken."""
        with self._open_unit_of_work(reading=True) as uow:
            visible_project(uow, caller, project_id)
        with self._objects.open_writer() as writer:
            yield Upload(writer, lambda stored, info: self.store(project_id, stored, info), self._max_upload_bytes)

    @contextlib.contextmanager
    def upload_version(self, caller: Caller, document_id: str) -> Iterator[Upload]:
        """Start an upload of another version of a document; raises `DocumentNotFound` before a byte is taken."""
        with self._open_unit_of_work(reading=True) as uow:
            _visible(uow, caller, document_id)
        with self._objects.open_writer() as writer:
            yield Upload(
                writer,
                lambda stored, info: self._store_version(caller, document_id, stored, info),
                self._max_upload_bytes,
            )

    def store(self, project_id: str, stored: StoredObject, info: FileInfo) -> tuple[Document, DocumentVersion]:
        """Store a document whose bytes are published."""
        uri = self._objects.uri(stored.key)
        document = _document(project_id, stored, uri, info, self._clock.now())
        version = _version(document, stored, info, {})
        with self._open_unit_of_work() as uow:
            self._hold(uow, stored)
            uow.documents.add(document, version)
            uow.commit()
        return document, version

    def store_small(
        self, caller: Caller, project_id: str, files: Sequence[tuple[FileInfo, bytes]]
    ) -> list[tuple[Document, DocumentVersion]]:
        """Store many small files, their documents and versions in one transaction; raises `ProjectNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            visible_project(uow, caller, project_id)
        published = [(info, self._published(content)) for info, content in files]
        made = []
        with self._open_unit_of_work() as uow:
            for _, stored in sorted(published, key=lambda one: one[1].key):  # locks are taken in one order
                self._hold(uow, stored)
            for info, stored in published:
                document = _document(project_id, stored, self._objects.uri(stored.key), info, self._clock.now())
                made.append((document, _version(document, stored, info, {})))
                uow.documents.add(*made[-1])
            uow.commit()
        return made

    def _published(self, content: bytes) -> StoredObject:
        with self._objects.open_writer() as writer:
            writer.write(content)
            return writer.publish()

    def _store_version(
        self, caller: Caller, document_id: str, stored: StoredObject, info: FileInfo
    ) -> tuple[Document, DocumentVersion]:
        """Store a version whose bytes are published; the document then shows its name, type, place and size."""
        with self._open_unit_of_work() as uow:
            document = uow.documents.get_for_change(document_id, namespace_id=caller.namespace_id)
            if document is None:
                raise DocumentNotFound(detail={"document_id": document_id})
            before = uow.documents.active_version(document_id)
            self._hold(uow, stored)
            document = _renewed(document, stored, self._objects.uri(stored.key), info, self._clock.now())
            refs = {"parent_version_id": before.version_id} if before is not None else {}
            version = replace(_version(document, stored, info, refs), created_at=document.updated_at)
            uow.documents.add_version(document, version)
            uow.commit()
        return document, version

    def _hold(self, uow: UnitOfWork, stored: StoredObject) -> None:
        """Keep the sweep from an object that lay there, named by nobody, before these bytes came."""
        uow.object_references.hold(stored.key)
        if not self._objects.exists(stored.key):
            raise Unavailable("The upload was swept away before it was stored; send it again.")

    def list(
        self, caller: Caller, project_id: str, wanted: ListRange, *, content_hash: str | None = None
    ) -> Listed[Document]:
        """Return the documents of a project, newest first; raises `ProjectNotFound`.

        With a `content_hash`, those whose active version has these bytes.
        """
        with self._open_unit_of_work(reading=True) as uow:
            visible_project(uow, caller, project_id)
            return read_list(
                lambda offset, limit: uow.documents.list(
                    project_id, offset=offset, limit=limit, content_hash=content_hash
                ),
                wanted,
            )

    def get(self, caller: Caller, document_id: str) -> Document:
        """Return a document; raises `DocumentNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            return _visible(uow, caller, document_id)

    def list_versions(self, caller: Caller, document_id: str, wanted: ListRange) -> Listed[DocumentVersion]:
        """Return the versions of a document, newest first; raises `DocumentNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            _visible(uow, caller, document_id)
            return read_list(
                lambda offset, limit: uow.documents.list_versions(document_id, offset=offset, limit=limit), wanted
            )

    def find_contents(self, caller: Caller, project_id: str, hashes: Sequence[str]) -> Sequence[StoredContent]:
        """Return the documents of a project whose active version has one of these contents; `ProjectNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            visible_project(uow, caller, project_id)
            return uow.documents.of_contents(project_id, hashes)

    def content(self, caller: Caller, version_id: str) -> VersionContent:
        """Return the bytes of a version; raises `DocumentVersionNotFound`, `DocumentNotFound`, `ArtifactNotFound`."""
        with self._open_unit_of_work(reading=True) as uow:
            version, document = visible_version(uow, caller, version_id)
        key = self._objects.key_of(version.artifact_uri or document.storage_uri)
        self._objects.size(key)  # one that is lost is told before the first byte
        return VersionContent(version=version, parts=lambda start, end: self._objects.stream(key, start=start, end=end))


def visible_version(uow: UnitOfWork, caller: Caller, version_id: str) -> tuple[DocumentVersion, Document]:
    """Return a version of the caller's namespace, with its document.

    Raises `DocumentVersionNotFound`, and `DocumentNotFound` for one whose document is deleted.
    """
    found = uow.documents.get_version(version_id, namespace_id=caller.namespace_id)
    if found is None:
        raise DocumentVersionNotFound(detail={"version_id": version_id})
    if found[1].is_deleted:
        raise DocumentNotFound(detail={"document_id": found[1].document_id})
    return found


def _visible(uow: UnitOfWork, caller: Caller, document_id: str) -> Document:
    document = uow.documents.get(document_id, namespace_id=caller.namespace_id)
    if document is None:
        raise DocumentNotFound(detail={"document_id": document_id})
    return document


def display_name(filename: str) -> str:
    r"""Return the last path component of a client's file name, which may have either kind of separator.

    >>> display_name("../../etc/passwd"), display_name("C:\\Users\\me\\notes.txt"), display_name("a/..")
    ('passwd', 'notes.txt', 'upload')
    """
    name = filename.replace("\\", "/").rpartition("/")[2].strip()
    return name if name not in {"", ".", ".."} else _DEFAULT_FILENAME


def _document(project_id: str, stored: StoredObject, uri: str, info: FileInfo, now: datetime) -> Document:
    return Document(
        document_id=new_uuid(),
        project_id=project_id,
        filename=display_name(info.filename),
        mime=info.mime or DEFAULT_MIME,
        storage_uri=uri,
        metadata=_metadata(stored, info),
        is_deleted=False,
        created_at=now,
        updated_at=now,
    )


def _metadata(stored: StoredObject, info: FileInfo) -> JsonObject:
    size = {"size": stored.size}
    return size if info.source_path is None else {**size, "source_path": info.source_path}


def _renewed(document: Document, stored: StoredObject, uri: str, info: FileInfo, now: datetime) -> Document:
    return replace(
        document,
        filename=display_name(info.filename),
        mime=info.mime or DEFAULT_MIME,
        storage_uri=uri,
        metadata={**document.metadata, **_metadata(stored, info)},
        updated_at=now,
    )


def _version(document: Document, stored: StoredObject, info: FileInfo, input_refs: JsonObject) -> DocumentVersion:
    return DocumentVersion(
        version_id=new_uuid(),
        document_id=document.document_id,
        content_hash=stored.sha256,
        filename=document.filename,
        mime=document.mime,
        size=stored.size,
        parser_params=info.parser_params or {},
        params={"source": "upload"},
        input_refs=input_refs,
        artifact_uri=document.storage_uri,
        producer_type=producers.UPLOAD,
        producer_version=producers.VERSION,
        status=RunStatus.SUCCEEDED,
        is_active=True,
        is_deleted=False,
        created_at=document.created_at,
    )
