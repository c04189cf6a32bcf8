"""Text to vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderInfo:
    """Who embeds: its name and version go into cache keys and feature URIs, `dimension` into manifests.

    `is_kept` says whether vectors are worth storing by content: not where making them is as quick as reading them.
    `at_once` is how many calls of `embed_passages` it is quickest with.
    """

    name: str
    version: str
    dimension: int
    is_kept: bool = True
    at_once: int = 1


class Embedder(Protocol):
    """Turns texts into vectors; equal texts give equal vectors in every process and version of Shoal."""

    @property
    def info(self) -> EmbedderInfo:
        """Say who this is."""
        ...

    def embed_passages(
        self, texts: Sequence[str], *, progress: Callable[[int], None] | None = None
    ) -> npt.NDArray[np.float32]:
        """Return (len(texts), dimension) float32, rows of unit length.

        `progress` is called with the number of texts done, at least once a second; what it raises ends the call.
        Raises `MissingDependency` naming the setting when the provider cannot be used, `EmbeddingFailed` when it
        refuses or answers nonsense, `Unavailable` when it does not answer or limits us.
        """
        ...

    def embed_query(self, text: str) -> npt.NDArray[np.float32]:
        """Return (dimension,) float32 of unit length."""
        ...


class Embedders(Protocol):
    """Finds an embedder by the documented `embedding_provider` and `embedding_model_name`."""

    def get(self, provider: str, model_name: str | None) -> Embedder:
        """Return it, loaded or to be loaded at first use.

        Raises `InvalidIndexConfig` for an unknown provider, listing the known, and `MissingDependency` naming the
        setting for one that is known to lack it.
        """
        ...
