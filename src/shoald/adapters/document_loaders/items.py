"""What every loader gives: one item per segment, in document order."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

MAX_PICTURE_BYTES = 16 * 1024 * 1024


class Item(NamedTuple):
    """One segment on its way out of the child.

    `parent` is the position (from 0, in the order of what the loader gives) of the item above this one: the item given
    just before, or one of those above that. `picture` is `{"mime": …, "data": Base64}` for bytes that the server keeps.
    """

    content: str
    metadata: dict[str, Any]
    type: str = "text"
    original_format: str = "text"
    level: int = 0
    path: tuple[str, ...] = ()
    parent: int | None = None
    picture: dict[str, str] | None = None


def picture_of(data: bytes | None) -> dict[str, str] | None:
    """Return the bytes as `Item.picture`, or None for what is no picture that browsers show, or too large to keep."""
    mime = _mime(data or b"")
    if not data or mime is None or len(data) > MAX_PICTURE_BYTES:
        return None
    return {"mime": mime, "data": base64.b64encode(data).decode()}


_STARTS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)


def _mime(data: bytes) -> str | None:
    """Say what a picture is by its first bytes; what the file says of it may be a lie. SVG is left out: it has scripts.

    >>> _mime(b"GIF89a..."), _mime(b"RIFF....WEBPVP8 "), _mime(b"<svg>")
    ('image/gif', 'image/webp', None)
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((mime for start, mime in _STARTS if data.startswith(start)), None)
