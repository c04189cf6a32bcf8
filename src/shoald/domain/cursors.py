"""The documented cursor: URL-safe Base64 of a decimal offset; anything else is offset 0."""

from __future__ import annotations

import base64
import binascii
import re

_DECIMAL = re.compile(rb"[0-9]{1,12}")


def cursor_of(offset: int) -> str:
    """Return the cursor of an offset.

    >>> cursor_of(2)
    'Mg=='
    """
    return base64.urlsafe_b64encode(str(offset).encode()).decode()


def offset_of(cursor: str) -> int:
    """Return the offset of a cursor, 0 for one that was tampered with. It grants nothing: rights come from the request.

    >>> offset_of("Mg=="), offset_of("Mg"), offset_of("garbage"), offset_of("LTE="), offset_of("")
    (2, 2, 0, 0, 0)
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return 0
    return int(raw) if _DECIMAL.fullmatch(raw) else 0
