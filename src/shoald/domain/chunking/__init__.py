"""Text to chunks: `chunker` finds the documented strategy and reads its parameters."""

from __future__ import annotations

from collections.abc import Callable

from shoald.domain.chunking.markdown_table import markdown_table_chunker
from shoald.domain.chunking.recursive import recursive_chunker
from shoald.domain.chunking.regex import regex_chunker
from shoald.domain.chunking.semantic import Embedding, FindEmbedding, semantic_chunker
from shoald.domain.chunking.sentence import sentence_chunker
from shoald.domain.chunking.spans import Chunker, Span, TableSpan
from shoald.domain.chunking.token import token_chunker
from shoald.domain.failures import UnsupportedChunkStrategy
from shoald.domain.json_types import JsonObject
from shoald.domain.vocabulary import ChunkStrategy

__all__ = ["Chunker", "Embedding", "FindEmbedding", "Span", "TableSpan", "chunker"]

_CHUNKERS: dict[ChunkStrategy, Callable[[JsonObject], Chunker]] = {
    ChunkStrategy.RECURSIVE: recursive_chunker,
    ChunkStrategy.TOKEN: token_chunker,
    ChunkStrategy.SENTENCE: sentence_chunker,
    ChunkStrategy.REGEX: regex_chunker,
    ChunkStrategy.MARKDOWN_TABLE: markdown_table_chunker,
}


def chunker(strategy: str, params: JsonObject, *, find_embedding: FindEmbedding | None = None) -> Chunker:
    """Return what cuts a text, by a documented strategy, in any case; `chunk_index` counts all that it yields.

    `semantic` needs `find_embedding`. Raises `UnsupportedChunkStrategy`, or `InvalidChunkerParams` naming the
    parameter.
    """
    name = strategy.lower()
    if name not in set(ChunkStrategy):
        known = ", ".join(ChunkStrategy)
        raise UnsupportedChunkStrategy(
            f"Unsupported chunk strategy: {strategy}", detail={"strategy": strategy}, hint=f"Known strategies: {known}."
        )
    if name != ChunkStrategy.SEMANTIC:
        return _CHUNKERS[ChunkStrategy(name)](params)
    if find_embedding is None:
        raise TypeError("semantic chunks need find_embedding")
    return semantic_chunker(params, find_embedding)
