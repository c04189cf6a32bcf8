"""What the use cases ask of stored documents."""

from __future__ import annotations

from typing import Protocol


class DocumentRepository(Protocol):
    """Stored documents."""
