"""HTTP/2 by hand, for clients that no library would be: frames and plain header blocks (RFC 9113, RFC 7541)."""

from __future__ import annotations

from collections.abc import Mapping

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEADERS, _RST_STREAM, _SETTINGS = 1, 3, 4
_END_HEADERS, _END_STREAM = 4, 1
_CANCEL = 8


def settings() -> bytes:
    """Return an empty SETTINGS frame."""
    return _frame(_SETTINGS, 0, 0, b"")


def request(stream: int, headers: Mapping[str, str]) -> bytes:
    """Return a HEADERS frame that opens a stream; no body follows."""
    return _frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, b"".join(map(_literal, headers, headers.values())))


def reset(stream: int) -> bytes:
    """Return a RST_STREAM frame with the code CANCEL."""
    return _frame(_RST_STREAM, 0, stream, _CANCEL.to_bytes(4, "big"))


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _literal(name: str, value: str) -> bytes:
    # a literal that is never indexed, both strings shorter than 127 bytes
    return b"\x10" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
