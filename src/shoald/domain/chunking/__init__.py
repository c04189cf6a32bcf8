"""Text to chunks: `chunker` finds the documented strategy and reads its parameters."""

from __future__ import annotations

from shoald.domain.chunking.recursive import recursive_chunker
from shoald.domain.chunking.spans import Chunker, Span
from shoald.domain.chunking.token import token_chunker
from shoald.domain.failures import UnsupportedChunkStrategy
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import ChunkStrategy

__all__ = ["Chunker", "Span", "chunker"]

_CHUNKERS = {ChunkStrategy.RECURSIVE: recursive_chunker, ChunkStrategy.TOKEN: token_chunker}


def chunker(strategy: str, params: JsonObject) -> Chunker:
    """Return what cuts a text, by a documented strategy, in any case; `chunk_index` counts all that it yields.

    Raises `UnsupportedChunkStrategy`, or `InvalidChunkerParams` naming the parameter.
    """
    name = strategy.lower()
    if name not in _CHUNKERS:
        known = ", ".join(_CHUNKERS)
        raise UnsupportedChunkStrategy(
            f"Unsupported chunk strategy: {strategy}", detail={"strategy": strategy}, hint=f"Known strategies: {known}."
        )
    return _CHUNKERS[ChunkStrategy(name)](params)
