"""What the use cases ask of stored namespaces."""

from __future__ import annotations

from typing import Protocol


class NamespaceRepository(Protocol):
    """Stored namespaces."""
