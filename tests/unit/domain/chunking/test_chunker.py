"""The one door to the chunkers."""

from __future__ import annotations

import numpy as np
import pytest

from shoald.domain.chunking import Embedding, chunker
from shoald.domain.failures import UnsupportedChunkStrategy
from shoald.domain.vocabulary import ChunkStrategy


def constant(_provider: str | None, _model: str | None) -> Embedding:
    return lambda texts: np.ones((len(texts), 1), np.float32)


@pytest.mark.parametrize("strategy", ChunkStrategy)
def test_every_word_has_a_chunker(strategy: str) -> None:
    params = {"pattern": "x{3}"} if strategy == ChunkStrategy.REGEX else {}
    assert list(chunker(strategy, params, find_embedding=constant)("some text")) == [(0, 9)]


def test_the_case_of_the_name_does_not_matter() -> None:
    assert list(chunker("Recursive", {})("some text")) == [(0, 9)]


def test_an_unknown_strategy_is_named() -> None:
    with pytest.raises(UnsupportedChunkStrategy) as caught:
        chunker("by_moonlight", {})
    assert caught.value.detail == {"strategy": "by_moonlight"}
    assert caught.value.hint == "Known strategies: recursive, token, sentence, regex, markdown_table, semantic."
