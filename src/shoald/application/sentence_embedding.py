"""Finds who embeds sentences for semantic chunks, by the documented parameters of the chunker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shoald.domain.chunking import Embedding
from shoald.domain.failures import InvalidChunkerParams, InvalidIndexConfig
from shoald.domain.index_config import read_config

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from shoald.application.embedding import EmbedTexts
    from shoald.application.ports.embedder import Embedders


def provider_of(given: str | None) -> str:
    """Return the provider that is meant; none given means the one that builds of indexes have by default."""
    return read_config({"embedding_provider": given}).embedding_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceEmbedding:
    """Embeds by content, as builds do: an interrupted job does not pay twice. `check` may end the work by raising."""

    embedders: Embedders
    embed_texts: EmbedTexts
    check: Callable[[], None] | None = None

    def checking(self, check: Callable[[], None]) -> SentenceEmbedding:
        """Return the same, calling `check` while it embeds."""
        return replace(self, check=check)

    def find(self, provider: str | None, model_name: str | None) -> Embedding:
        """Return what embeds; raises `InvalidChunkerParams` for a provider or a model that is not known."""
        try:
            embedder = self.embedders.get(provider_of(provider), model_name)
        except InvalidIndexConfig as failure:
            parameter = failure.detail.get("field", "embedding_provider")
            raise InvalidChunkerParams(
                f"chunker_params.{parameter}: {failure.message}",
                detail={"parameter": parameter, "known": failure.detail.get("known", [])},
            ) from failure

        def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
            return self.embed_texts.embed(embedder, texts, count=len(texts), progress=self._progress).vectors

        return embed

    def _progress(self, _done: int) -> None:
        if self.check is not None:
            self.check()
