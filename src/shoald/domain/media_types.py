"""Guesses media types from file names, the same on every machine: what a system's own tables know is not asked."""

from __future__ import annotations

from mimetypes import MimeTypes

_OFFICE = "application/vnd.openxmlformats-officedocument"
# what Python's own table lacks, of what loaders read and what lies beside it
_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".text": "text/plain",
    ".log": "text/plain",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/x-ndjson",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroEnabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".epub": "application/epub+zip",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.file",
    ".webp": "image/webp",
}


def _table() -> MimeTypes:
    known = MimeTypes()
    for ending, kind in _TYPES.items():
        known.add_type(kind, ending)
    return known


_KNOWN = _table()


def guessed_type(filename: str) -> str | None:
    """Return the media type that a file's ending stands for, None for an unknown one and for what is compressed.

    >>> guessed_type("notes.MD"), guessed_type("a.xlsx"), guessed_type("a.csv.gz"), guessed_type("README")
    ('text/markdown', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', None, None)
    """
    kind, packing = _KNOWN.guess_type(filename)
    return kind if packing is None else None


def ending_of(media_type: str) -> str:
    """Return a file name's ending for a media type, with its dot; empty for an unknown one.

    >>> ending_of("image/png"), ending_of("text/markdown; charset=utf-8"), ending_of("x/y")
    ('.png', '.md', '')
    """
    return _KNOWN.guess_extension(media_type.partition(";")[0].strip()) or ""
