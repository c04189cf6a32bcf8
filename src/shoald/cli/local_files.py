"""Finds the files that a command is to take, and says how each is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shoald.domain.media_types import guessed_type

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
KNOWN_ENDINGS = ", ".join(sorted(_LOADERS))
_NOT_UTF_8 = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True)
class LocalFile:
    """One file, in a folder that was named or named itself; with another ending than the known it is read as text."""

    path: Path
    folder: Path | None = None

    @property
    def source_path(self) -> str:
        """What the server knows it by: the folder's name and the way from there, or its own name."""
        if self.folder is None:
            return self.name
        return readable((Path(folder_name(self.folder)) / self.path.relative_to(self.folder)).as_posix())

    @property
    def name(self) -> str:
        """Its own name, as it is sent."""
        return readable(self.path.name)

    @property
    def loader_type(self) -> str:
        """The loader that reads it."""
        return _LOADERS.get(self.path.suffix.lower(), "text")

    @property
    def content_type(self) -> str:
        """Its media type."""
        return guessed_type(self.path.name) or "application/octet-stream"

    @cached_property
    def size(self) -> int:
        """Its length in bytes; raises `OSError`."""
        return self.path.stat().st_size

    @cached_property
    def sha256(self) -> str:
        """The hash of its bytes, as the server names contents; raises `OSError`."""
        with self.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()


class SamePath(Exception):  # noqa: N818 - it says what is the case
    """Two files would be known to the server by one path."""


def files_in(paths: Sequence[Path]) -> tuple[list[LocalFile], list[LocalFile]]:
    """Return the files, those of folders by known endings, and the folders' other files, which are left out.

    Raises `SamePath`.
    """
    found = sorted(_all_files(paths), key=lambda file: file.path)
    _check_different(found)
    named = set(paths)
    taken, left_out = list[LocalFile](), list[LocalFile]()
    for file in found:
        is_known = file.path in named or file.path.suffix.lower() in _LOADERS
        (taken if is_known else left_out).append(file)
    return taken, left_out


def folder_name(folder: Path) -> str:
    """Return what a folder is called, whichever way it was named."""
    return readable(folder.resolve().name)


def readable(name: str) -> str:
    r"""Return a file's name as it can be sent: a byte that is not UTF-8, of an old archive perhaps, as `%FF`.

    >>> readable("M\udcfcnchen.txt")
    'M%FCnchen.txt'
    """
    return _NOT_UTF_8.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)


def outermost(paths: Iterable[Path]) -> list[Path]:
    """Return the folders among paths that lie in none of the others."""
    places = {path.resolve(): path for path in paths if path.is_dir()}
    return sorted(folder for place, folder in places.items() if places.keys().isdisjoint(place.parents))


def _all_files(paths: Sequence[Path]) -> Iterator[LocalFile]:
    """Yield each file once, as part of the outermost folder that it lies in."""
    seen: set[Path] = set()
    for folder in outermost(paths):
        for path in folder.rglob("*"):
            if path.is_file() and path not in seen:
                seen.add(path)
                yield LocalFile(path, folder)
    for path in paths:
        if not path.is_dir() and path not in seen:
            seen.add(path)
            yield LocalFile(path)


def _check_different(files: Iterable[LocalFile]) -> None:
    known: dict[str, LocalFile] = {}
    for file in files:
        other = known.setdefault(file.source_path, file)
        if other is not file:
            raise SamePath(f"{other.path} and {file.path} would both be {file.source_path}; take them one by one")
