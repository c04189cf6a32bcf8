"""Finds the files that a command is to take, and says how each is read."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_LOADERS = {
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".rst": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".pptx": "pptx",
    ".eml": "eml",
}
# what the system's own table does not know everywhere
_CONTENT_TYPES = {".md": "text/markdown", ".markdown": "text/markdown", ".eml": "message/rfc822"}
KNOWN_ENDINGS = ", ".join(sorted(_LOADERS))


@dataclass(frozen=True)
class LocalFile:
    """One file; a file with another ending than the known is read as text."""

    path: Path

    @property
    def loader_type(self) -> str:
        """The loader that reads it."""
        return _LOADERS.get(self.path.suffix.lower(), "text")

    @property
    def content_type(self) -> str:
        """Its media type."""
        suffix = self.path.suffix.lower()
        return _CONTENT_TYPES.get(suffix) or mimetypes.guess_type(self.path.name)[0] or "application/octet-stream"

    @cached_property
    def size(self) -> int:
        """Its length in bytes; raises `OSError`."""
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """The hash of its bytes, as the server names contents; raises `OSError`."""
        with self.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()


def files_in(paths: Sequence[Path]) -> tuple[list[LocalFile], list[Path]]:
    """Return the files, those of folders by known endings, and the folders' other files, which are left out."""
    found = sorted(set(_all_files(paths)))
    taken = [path for path in found if path in paths or path.suffix.lower() in _LOADERS]
    return [LocalFile(path) for path in taken], sorted(set(found) - set(taken))


def _all_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from (file for file in path.rglob("*") if file.is_file())
        else:
            yield path
