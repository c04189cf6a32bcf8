"""Makes the ids that users see; each kind has the documented form."""

from __future__ import annotations

import os
import re
import secrets

_ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_uuid() -> str:
    """Return a random UUID version 4, 36 characters: the id of everything in the RAG API."""
    digits = os.urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    # a hundred thousand chunks get one each: the standard library's takes three times as long
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def _alphanumeric(length: int) -> str:
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def new_namespace_id() -> str:
    """Return `ns_` and ten characters."""
    return "ns_" + _alphanumeric(10)


def new_collection_id() -> str:
    """Return `col_` and ten characters."""
    return "col_" + _alphanumeric(10)


def new_cluster_id() -> str:
    """Return `clust_` and sixteen hex digits; clients insist on letters and digits only."""
    return "clust_" + secrets.token_hex(8)


def new_run_id() -> str:
    """Return `run_` and sixteen hex digits; clients insist on letters and digits only."""
    return "run_" + secrets.token_hex(8)


def looks_like_an_id(name: str) -> bool:
    """Say whether a name could be taken for an id of the clusters API, and so must not be a name.

    >>> looks_like_an_id("clust_0a1b"), looks_like_an_id("product_topics")
    (True, False)
    """
    return re.fullmatch(r"(ns|col|clust|run|trig|task|tax|wh|ret|bkt|doc)_[A-Za-z0-9]+", name) is not None
