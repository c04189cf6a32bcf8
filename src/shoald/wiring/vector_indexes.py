"""The vector indexes of an installation by provider; each is made when it is first asked for."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from shoald.domain.failures import MissingDependency, ProviderUnsupported
from shoald.domain.vocabulary import IndexProvider
from shoald.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from shoald.adapters.pgvector.vector_index import PgvectorIndex
    from shoald.adapters.qdrant.vector_index import QdrantVectorIndex
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.vector_index import SweptVectorIndex, VectorIndex


class ConfiguredVectorIndexes:
    """`VectorIndexes` of this installation; several threads may ask at once."""

    def __init__(
        self, *, objects: Callable[[], ObjectStore], settings: Settings, on_close: contextlib.ExitStack
    ) -> None:
        self._objects = objects
        self._settings = settings
        self._on_close = on_close
        self._lock = threading.Lock()
        self._made: dict[str, VectorIndex] = {}
        self._pgvectors: PgvectorIndex | None = None
        self._qdrants: QdrantVectorIndex | None = None

    def get(self, provider: str) -> VectorIndex:
        """Return the index of a provider."""
        from shoald.application.vector_positions import WithPositions

        with self._lock:
            if provider not in self._made:
                self._made[provider] = WithPositions(self._make(provider), self._objects)
            return self._made[provider]

    def swept(self) -> list[SweptVectorIndex]:
        """Return the indexes whose storage no other sweep looks through; FAISS files are objects."""
        with self._lock:
            return [*([self._qdrant()] if self._settings.qdrant_url is not None else []), self._pgvector()]

    def _make(self, provider: str) -> VectorIndex:
        if provider == IndexProvider.FAISS:
            from shoald.adapters.faiss.vector_index import FaissVectorIndex

            return FaissVectorIndex(self._objects(), use_gpu=self._settings.faiss_gpu)
        if provider == IndexProvider.QDRANT:
            return self._qdrant()
        if provider == IndexProvider.PGVECTOR:
            return self._pgvector()
        raise ProviderUnsupported(
            f"Unsupported index provider: {provider}",
            detail={"provider": provider},
            hint=f"Known providers: {', '.join(IndexProvider)}.",
        )

    def _pgvector(self) -> PgvectorIndex:
        if self._pgvectors is None:
            from shoald.adapters.pgvector.vector_index import PgvectorIndex

            self._pgvectors = PgvectorIndex(self._settings.pgvector_url or self._settings.database_url)
            self._on_close.callback(self._pgvectors.close)
        return self._pgvectors

    def _qdrant(self) -> QdrantVectorIndex:
        settings = self._settings
        if settings.qdrant_url is None:
            raise MissingDependency("No Qdrant is configured.", hint="Set SHOAL_QDRANT_URL, or use provider faiss.")
        if self._qdrants is None:
            from shoald.adapters.qdrant.vector_index import QdrantVectorIndex

            key = settings.qdrant_api_key
            self._qdrants = QdrantVectorIndex(settings.qdrant_url, api_key=key.get_secret_value() if key else None)
            self._on_close.callback(self._qdrants.close)
        return self._qdrants
