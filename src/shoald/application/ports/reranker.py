"""Query and passages to how well each passage answers the query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores passages against a query; the same pair has the same score whatever stands beside it."""

    def scores(self, query: str, passages: Sequence[str], check: Callable[[int], None] = lambda _: None) -> list[float]:
        """Return a finite score for each passage, larger is better, in the order of the passages.

        `check` is called with the number of passages read, before each next few; what it raises ends the work.
        Raises `MissingDependency` naming the setting when the model cannot be used, `RerankingFailed` when it refuses
        or answers nonsense, `Unavailable` when it does not answer or limits us.
        """
        ...


class Rerankers(Protocol):
    """Finds a reranker by the documented `model_name` and `device`."""

    def get(self, model_name: str, device: str) -> Reranker:
        """Return it, loaded or to be loaded at first use.

        Raises `MissingDependency` naming the setting for a model or a device that is not there.
        """
        ...
