"""What a file is by its first bytes, in words for the person who chose the wrong loader."""

from __future__ import annotations

HEAD_BYTES = 16

_STARTS = (
    (b"%PDF-", "a PDF file (loader pdf)"),
    (b"{\\rtf", "RTF, which no loader reads: save it as DOCX or as plain text"),
    (b"PK\x03\x04", "a ZIP archive, as DOCX, XLSX and PPTX files are (loaders docx, excel, pptx)"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an older Office file, or one protected by a password: save it anew without one"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "an SQLite database"),
)


def kind_of(head: bytes) -> str | None:
    """Return what the bytes begin as, or None for what is not known.

    >>> kind_of(b"GIF89a"), kind_of(b"Dear")
    ('a picture', None)
    """
    return next((words for start, words in _STARTS if head.startswith(start)), None)
