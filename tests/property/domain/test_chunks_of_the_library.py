"""A corpus of 1,000 texts: the chunks of the splitters behind the document, wherever theirs are pieces of the text."""
# ruff: noqa: RUF001 - letters of other scripts

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import pytest
import tiktoken
from langchain_text_splitters import RecursiveCharacterTextSplitter, TokenTextSplitter

from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.chunking import chunker
from shoald.domain.chunking.encodings import encoding

_SCRIPTS = (
    "the quick brown fox jumps over the lazy dog. ",
    "Größe, Übermaß und Straßenbahn – „ja“. ",
    "Съешь ещё этих мягких французских булок. ",
    "色は匂へど散りぬるを。我が世誰ぞ常ならむ。",
    "👩‍👩‍👧 family 🇫🇷 flags 🤷🏽‍♀️ ",
    "नमस्ते दुनिया। ",
    "def f(x):\n    return x ** 2\n\n",
    "| a | b |\n|---|---|\n\n",
    "<|endoftext|> ",
)  # fmt: skip


def corpus() -> Iterator[str]:
    """Yield 700 docstrings and 300 texts mixed of several scripts, blank lines and code."""
    docstrings = [item["text"] for found in standard_library_texts().values() for item in found]
    rng = random.Random(7)
    yield from rng.sample(docstrings, 700)
    for _ in range(300):
        yield "".join(rng.choice(_SCRIPTS) + rng.choice(["", " ", "\n", "\n\n"]) for _ in range(rng.randint(1, 25)))


@pytest.fixture(scope="module")
def texts() -> Sequence[str]:
    return list(corpus())


def test_recursive(texts: Sequence[str]) -> None:
    cut = chunker("recursive", {"chunk_size": 200, "chunk_overlap": 40})
    library = RecursiveCharacterTextSplitter(chunk_size=200, chunk_overlap=40)
    compared = 0
    for text in texts:
        mine, theirs = [text[start:end] for start, end in cut(text)], library.split_text(text)
        if all(chunk in text for chunk in theirs):
            compared += 1
            assert mine == theirs
    assert compared == 1000


def test_token(texts: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # the library would fetch the vocabulary
    monkeypatch.setattr(tiktoken.registry, "ENCODINGS", {"cl100k_base": encoding("cl100k_base")})
    library = TokenTextSplitter("cl100k_base", chunk_size=30, chunk_overlap=5, disallowed_special=())
    cut = chunker("token", {"chunk_size": 30, "chunk_overlap": 5})
    whole = pieces = 0
    for text in texts:
        mine, theirs = [text[start:end] for start, end in cut(text)], library.split_text(text)
        assert len(mine) == len(theirs)
        for chunk, expected in zip(mine, theirs, strict=True):
            pieces += 1
            if "\ufffd" not in expected:  # a character cut in two is no piece of the text
                whole += 1
                assert chunk == expected
    assert whole > 0.7 * pieces
