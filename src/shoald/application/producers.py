"""Who made a version, a set or a build, as the RAG API shows it."""

from __future__ import annotations

import importlib.metadata

UPLOAD = "rag_api"
"""`producer_type` of document versions."""

LIBRARY = "rag_lib"
"""`producer_type` of everything that is made from them."""

VERSION = importlib.metadata.version("shoal")
"""`producer_version` of all."""
