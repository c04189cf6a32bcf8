"""What a project holds of local files: by the path that they were taken under, else by their bytes and name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shoald.cli.local_files import LocalFile
from shoald.cli.rest_client import RestClient

_ASKED_TOGETHER = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is there of a file: nothing, a document whose bytes are others, or the very bytes, segmented or not."""

    document_id: str | None = None
    version_id: str | None = None
    segment_set_id: str | None = None
    loader_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFiles:
    """Documents by their path; contents by document and hash, those of documents without a path by hash and name."""

    by_path: Mapping[str, str] = field(default_factory=dict)
    contents: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    without_path: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)

    def held(self, file: LocalFile) -> Held:
        """Return what the project holds of a file.

        A document that was uploaded without a path is the file's if bytes and name are the same.
        """
        document_id = self.by_path.get(file.source_path)
        if document_id is None:
            return _held(self.without_path.get((file.sha256, file.name)))
        content = self.contents.get((document_id, file.sha256))
        return Held(document_id=document_id) if content is None else _held(content)

    def vanished(self, folders: Iterable[str], there: Collection[str]) -> dict[str, str]:
        """Return path and document of what was taken from folders of these names and is not there any more."""
        starts = tuple(f"{folder}/" for folder in folders)
        return {path: its for path, its in self.by_path.items() if path.startswith(starts) and path not in there}


def known_files(client: RestClient, project_id: str, files: Iterable[LocalFile]) -> KnownFiles:
    """Ask for the paths of a project's documents, and for the contents of these files, which can be read."""
    by_path: dict[str, str] = {}
    with_path: set[str] = set()
    for document in client.rows(f"/api/v1/projects/{project_id}/documents"):
        path = document["metadata"].get("source_path")
        if path is not None:
            by_path.setdefault(path, document["document_id"])  # the newest of several
            with_path.add(document["document_id"])
    contents: dict[tuple[str, str], Mapping[str, Any]] = {}
    without_path: dict[tuple[str, str], Mapping[str, Any]] = {}
    for found in _contents(client, project_id, sorted({file.sha256 for file in files})):
        contents[found["document_id"], found["content_hash"]] = found
        if found["document_id"] not in with_path:
            without_path.setdefault((found["content_hash"], found["filename"]), found)
    return KnownFiles(by_path=by_path, contents=contents, without_path=without_path)


def _contents(client: RestClient, project_id: str, hashes: list[str]) -> Iterator[Mapping[str, Any]]:
    for start in range(0, len(hashes), _ASKED_TOGETHER):
        asked = {"content_hashes": hashes[start : start + _ASKED_TOGETHER]}
        yield from client.post(f"/api/v1/projects/{project_id}/documents/find", asked)["contents"]


def _held(content: Mapping[str, Any] | None) -> Held:
    if content is None:
        return Held()
    return Held(
        document_id=content["document_id"],
        version_id=content["document_version_id"],
        segment_set_id=content["segment_set_version_id"],
        loader_type=content["loader_type"],
    )
