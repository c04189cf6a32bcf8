"""Tables of namespaces, collections, documents and their vectors, clusters and their runs."""

from __future__ import annotations
