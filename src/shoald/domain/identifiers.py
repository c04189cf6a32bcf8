"""Makes the ids that users see; each kind has the documented form."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator

_UUIDS_AT_ONCE = 256
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_uuid() -> str:
    """Return a random UUID version 4, 36 characters: the id of everything in the RAG API."""
    return _as_uuid(os.urandom(16).hex())


def new_uuids() -> Iterator[str]:
    """Yield what `new_uuid` returns without end, for a hundred thousand chunks: half a microsecond each.

    Some wait in the iterator, so it must not be shared with a process that is forked from this one.
    """
    while True:
        digits = os.urandom(16 * _UUIDS_AT_ONCE).hex()
        for at in range(0, len(digits), 32):
            yield _as_uuid(digits[at : at + 32])


def _as_uuid(digits: str) -> str:
    """Return 32 random hex digits in the form of version 4: the standard library's takes three times as long."""
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{_VARIANTS[digits[16]]}{digits[17:20]}-{digits[20:]}"


def _alphanumeric(length: int) -> str:
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def new_namespace_id() -> str:
    """Return `ns_` and ten characters."""
    return "ns_" + _alphanumeric(10)


def new_collection_id() -> str:
    """Return `col_` and ten characters."""
    return "col_" + _alphanumeric(10)


def new_document_id() -> str:
    """Return `doc_` and sixteen hex digits."""
    return "doc_" + secrets.token_hex(8)


def new_cluster_id() -> str:
    """Return `clust_` and sixteen hex digits; clients insist on letters and digits only."""
    return "clust_" + secrets.token_hex(8)


def new_run_id() -> str:
    """Return `run_` and sixteen hex digits; clients insist on letters and digits only."""
    return "run_" + secrets.token_hex(8)


def new_webhook_id() -> str:
    """Return `wh_` and sixteen hex digits; clients insist on the form."""
    return "wh_" + secrets.token_hex(8)


def new_delivery_id() -> str:
    """Return `dlv_` and sixteen hex digits."""
    return "dlv_" + secrets.token_hex(8)


def new_event_id() -> str:
    """Return `evt_` and 32 hex digits: receivers tell repeated deliveries of an event by it."""
    return "evt_" + secrets.token_hex(16)


def new_trigger_id() -> str:
    """Return `trig_` and ten characters."""
    return "trig_" + _alphanumeric(10)


def new_enrichment_id() -> str:
    """Return `enr_` and sixteen hex digits."""
    return "enr_" + secrets.token_hex(8)


def new_taxonomy_id() -> str:
    """Return `tax_` and sixteen hex digits."""
    return "tax_" + secrets.token_hex(8)


def looks_like_an_id(name: str) -> bool:
    """Say whether a name could be taken for an id of the clusters API, and so must not be a name.

    >>> looks_like_an_id("clust_0a1b"), looks_like_an_id("product_topics")
    (True, False)
    """
    return re.fullmatch(r"(ns|col|clust|run|trig|task|tax|wh|ret|bkt|doc)_[A-Za-z0-9]+", name) is not None
