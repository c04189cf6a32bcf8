"""Finds the embedder that an index names by `embedding_provider` and `embedding_model_name`."""

from __future__ import annotations

import threading
from collections import OrderedDict

from shoald.adapters.embedders.local import LocalEmbedder
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.application.ports.embedder import Embedder
from shoald.domain.failures import InvalidIndexConfig
from shoald.domain.vocabulary import EmbeddingProvider

_MOST_REMOTE = 16  # whoever makes an index names a model, and each holds connections
_BUNDLED_MODELS = frozenset({"all-minilm-l6-v2", "sentence-transformers/all-minilm-l6-v2", "all-minilm-l6-v2-int8"})


class ConfiguredEmbedders:
    """Keeps one embedder of each kind, made when it is first asked for; of an endpoint's models those used last."""

    def __init__(self, *, threads: int, endpoint: OpenAIEndpoint, openai_model: str) -> None:
        self._local = LocalEmbedder(threads=threads)
        self._mock = MockEmbedder()
        self._endpoint = endpoint
        self._openai_model = openai_model
        self._lock = threading.Lock()
        self._remote: OrderedDict[str, OpenAIEmbedder] = OrderedDict()

    def get(self, provider: str, model_name: str | None) -> Embedder:
        """Return it; the model's name means nothing to `mock`, as documented.

        Raises `MissingDependency` for an endpoint without a key: before any work that would be for nothing.
        """
        if provider == EmbeddingProvider.MOCK:
            return self._mock
        if provider == EmbeddingProvider.OPENAI:
            self._endpoint.require_key()
            return self._openai(model_name or self._openai_model)
        if provider in {EmbeddingProvider.LOCAL, EmbeddingProvider.HUGGINGFACE}:
            return self._bundled(model_name)
        known = ", ".join(EmbeddingProvider)
        raise InvalidIndexConfig(
            f"Unknown embedding_provider {provider!r}; known: {known}.",
            detail={"field": "embedding_provider", "known": list(EmbeddingProvider)},
        )

    def warm(self) -> None:
        """Load the bundled model now, so that the first query need not."""
        self._local.warm()

    def close(self) -> None:
        """Close the connections to endpoints."""
        with self._lock:
            for embedder in self._remote.values():
                embedder.close()

    def _openai(self, model_name: str) -> OpenAIEmbedder:
        with self._lock:
            found = self._remote.setdefault(model_name, OpenAIEmbedder(self._endpoint, model_name))
            self._remote.move_to_end(model_name)
            if len(self._remote) > _MOST_REMOTE:
                self._remote.popitem(last=False)  # who still uses it may finish; its connections close with it
        return found

    def _bundled(self, model_name: str | None) -> LocalEmbedder:
        if model_name is not None and model_name.lower() not in _BUNDLED_MODELS:
            raise InvalidIndexConfig(
                f"Unknown embedding_model_name {model_name!r}; the bundled model is all-MiniLM-L6-v2.",
                detail={"field": "embedding_model_name", "known": ["all-MiniLM-L6-v2"]},
            )
        return self._local
