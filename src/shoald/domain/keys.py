"""The text of API keys: random bits go in, what a caller shows comes out, and its id is read back.

`shl_<id>_<secret>_<check>`: 16, 64 and 8 hex digits. The check is the CRC-32 of what stands before it, so that a key
that was cut off or mistyped is refused without a look at the database, and a leaked one is found by scanners.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib

_FORM = re.compile(r"(shl_([0-9a-f]{16})_[0-9a-f]{64})_([0-9a-f]{8})")


def new_key() -> tuple[str, str]:
    """Return the id of a new key, and its text."""
    key_id = secrets.token_hex(8)
    body = f"shl_{key_id}_{secrets.token_hex(32)}"
    return key_id, f"{body}_{_check(body)}"


def id_in(key: str) -> str | None:
    """Return the id that a key names, or None for a text that is no key.

    >>> id_in("sk_something")
    """
    found = _FORM.fullmatch(key)
    if found is None or found[3] != _check(found[1]):
        return None
    return found[2]


def hash_of(key: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def _check(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
