"""Counts the calls of each namespace, over all servers."""

from __future__ import annotations

from typing import Protocol


class CallLimits(Protocol):
    """Says when a namespace calls too often; never says so because the counter is away."""

    def is_too_much(self, namespace_id: str) -> bool:
        """Count a call of a namespace in the present second, and say whether it is one too many."""
        ...
