"""What a build reads of an index's configuration; whatever else stands there is the user's own."""

from __future__ import annotations

from dataclasses import dataclass

from shoald.domain.failures import InvalidIndexConfig
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import EmbeddingProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexConfig:
    """Who embeds, what the user wishes Qdrant's collection to be called, and whether every vector is compared."""

    embedding_provider: str
    embedding_model_name: str | None
    collection_name: str
    exact: bool


def read_config(config: JsonObject) -> IndexConfig:
    """Return the configuration with its defaults; raises `InvalidIndexConfig` naming the field that is wrong.

    >>> read_config({"embedding_provider": "Local", "mine": 1}).embedding_provider
    'local'
    """
    exact = config.get("exact")
    if exact is not None and not isinstance(exact, bool):
        raise InvalidIndexConfig("config.exact must be true or false.", detail={"field": "exact"})
    return IndexConfig(
        embedding_provider=(_text(config, "embedding_provider") or EmbeddingProvider.MOCK).lower(),
        embedding_model_name=_text(config, "embedding_model_name"),
        collection_name=_text(config, "collection_name") or "",
        exact=bool(exact),
    )


def _text(config: JsonObject, name: str) -> str | None:
    value = config.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidIndexConfig(f"config.{name} must be text.", detail={"field": name})
    return value
