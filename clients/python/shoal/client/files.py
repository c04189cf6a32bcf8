"""Files as streams of messages, and streams of bodies as files whose hash is right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from shoal.clusters.v1.artifact_pb2 import ExportLink
    from shoal.clusters.v1.collection_document_service_pb2 import ImportDocumentsRequest, ImportInfo
    from shoal.rag.v1.document_service_pb2 import DocumentInfo, ImportDocumentRequest

_PART = 256 * 1024
Source = Path | str | bytes | BinaryIO
"""A path, the bytes themselves, or a file that is open for reading bytes."""


class HashMismatch(Exception):
    """A file that arrived is not the one that was announced."""


@dataclass(frozen=True, slots=True)
class Upload:
    """What to say of a file."""

    project_id: str
    source: Source
    filename: str | None = None
    mime: str | None = None
    parser_params: Mapping[str, Any] | None = None

    def messages(self) -> Iterator[ImportDocumentRequest]:
        """Yield the messages of the upload; the file is read part by part."""
        from shoal.rag.v1.document_service_pb2 import ImportDocumentRequest

        yield ImportDocumentRequest(info=self._info())
        for part in _parts(self.source):
            yield ImportDocumentRequest(data=part)

    def _info(self) -> DocumentInfo:
        from shoal.rag.v1.document_service_pb2 import DocumentInfo

        info = DocumentInfo(project_id=self.project_id, filename=self.filename or _name_of(self.source))
        if self.mime:
            info.mime = self.mime
        if isinstance(self.source, bytes):
            info.sha256 = hashlib.sha256(self.source).hexdigest()
        if self.parser_params:
            info.parser_params.update(self.parser_params)
        return info


def _name_of(source: Source) -> str:
    name = source if isinstance(source, (Path, str)) else getattr(source, "name", None)
    if not isinstance(name, (Path, str)):
        raise ValueError("bytes and nameless files need a filename")  # noqa: TRY004 - a name is missing, no type wrong
    return Path(name).name


def _parts(source: Source) -> Iterator[bytes]:
    if isinstance(source, (Path, str)):
        with Path(source).open("rb") as opened:
            yield from iter(lambda: opened.read(_PART), b"")
    elif isinstance(source, bytes):
        yield from (source[at : at + _PART] for at in range(0, len(source), _PART))
    else:
        yield from iter(lambda: source.read(_PART), b"")


def import_messages(info: ImportInfo, parts: Iterator[bytes]) -> Iterator[ImportDocumentsRequest]:
    """Yield the messages of an import: what it is, then its bytes."""
    from shoal.clusters.v1.collection_document_service_pb2 import ImportDocumentsRequest

    yield ImportDocumentsRequest(info=info)
    for part in parts:
        yield ImportDocumentsRequest(arrow=part)


def token_of(link: ExportLink) -> str:
    """Return the token of a link to Shoal's own `/v1/files/…`; raise ValueError for one that leads elsewhere."""
    folder, _, token = urlsplit(link.url).path.rpartition("/")
    if not folder.endswith("/v1/files"):
        raise ValueError(f"{urlsplit(link.url).netloc} holds the file: get it from its url by HTTP")
    return token


class Arriving:
    """Writes a file beside its place, and puts it there only when its hash is the one announced."""

    def __init__(self, link: ExportLink, place: Path) -> None:
        self._link, self._place = link, place
        self._part = place.with_name(f"{place.name}.part")
        self._hash = hashlib.sha256()

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        return self

    def write(self, data: bytes) -> None:
        """Add what came."""
        self._hash.update(data)
        self._file.write(data)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._file.close()
        if kind is None and self._hash.hexdigest() == self._link.sha256:
            self._part.replace(self._place)
            return
        self._part.unlink()
        if kind is None:
            raise HashMismatch(f"{self._place.name} should have the SHA-256 {self._link.sha256}")
