"""Tables of projects, documents, segment and chunk sets, indexes and their builds."""

from __future__ import annotations
