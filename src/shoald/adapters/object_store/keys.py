"""What a key may look like; keys are made by the server, so a bad one is a fault of ours or an attack."""

from __future__ import annotations

import re

from shoald.domain.failures import ArtifactNotFound

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_LONGEST = 512


def checked_key(key: str) -> str:
    """Return the key, or raise `ArtifactNotFound` when no object can have it.

    Parts are separated by single slashes and never start with a dot, so neither `..` nor a hidden file can be named.

    >>> checked_key("blobs/0a/0a12")
    'blobs/0a/0a12'
    """
    if len(key) > _LONGEST or not all(_PART.fullmatch(part) for part in key.split("/")):
        raise ArtifactNotFound
    return key


def checked_prefix(prefix: str) -> str:
    """Return the prefix without its closing slash; the empty prefix is everything."""
    bare = prefix.rstrip("/")
    return checked_key(bare) if bare else ""


def blob_key(sha256: str) -> str:
    """Return the key of content that is stored under its own hash.

    >>> blob_key("0a12")
    'blobs/0a/0a12'
    """
    return f"blobs/{sha256[:2]}/{sha256}"
