"""Queries that an endpoint embeds take a place; what is embedded here is quick and takes none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from shoald.application.asked_searches import Search
from shoald.application.vector_searching import VectorSearches
from shoald.application.waiting import BriefPlaces, Patience
from shoald.domain.failures import Busy
from shoald.domain.retrieval.strategies import VectorSearch


class Endpoint:
    """An embedder that calls `meanwhile` while a query waits for it, and the store that finds nothing."""

    def __init__(self) -> None:
        self.meanwhile: Any = lambda: None

    def embed_query(self, _: str) -> Any:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return np.ones(1, np.float32)

    def search(self, *_: object, **__: object) -> Any:
        return [], None

    def get(self, *_: str | None) -> Any:
        return self


def search(provider: str, *, is_brief: bool = True) -> Search:
    manifest = {"embedding_provider": provider, "embedding_model_name": None, "dimension": 1}
    target: Any = SimpleNamespace(
        build=SimpleNamespace(manifest=manifest),
        index=SimpleNamespace(provider="faiss"),
        items=SimpleNamespace(total_items=1),
    )
    patience = Patience(is_brief=is_brief)
    return Search(scope=("", ""), target=target, strategy=VectorSearch(), query="q", filter={}, patience=patience)


def run_two(first: Search, second: Search) -> None:
    """Begin the second while the first waits for its query's vector."""
    endpoint: Any = Endpoint()
    vectors = VectorSearches(vector_indexes=endpoint, embedders=endpoint, places=BriefPlaces(1))
    endpoint.meanwhile = lambda: vectors.hits(second, VectorSearch(), allowed=None, where=())
    vectors.hits(first, VectorSearch(), allowed=None, where=())


def test_a_brief_call_is_refused_while_others_wait_for_the_endpoint() -> None:
    with pytest.raises(Busy, match="embedding"):
        run_two(search("openai"), search("openai"))


@pytest.mark.parametrize("second", [search("local"), search("openai", is_brief=False)])
def test_what_needs_no_place_goes_on(second: Search) -> None:
    run_two(search("openai"), second)
