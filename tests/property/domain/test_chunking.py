"""What holds for every text: the chunks of the library that users know, verbatim, within the size, nothing lost."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_text_splitters import RecursiveCharacterTextSplitter

from shoald.domain.chunking import chunker
from shoald.domain.chunking.encodings import encoding
from shoald.domain.chunking.recursive import DEFAULT_SEPARATORS, RecursiveSettings, recursive_spans
from shoald.domain.chunking.token import TokenSettings, token_spans
from shoald.domain.vocabulary import ChunkStrategy

prose = st.text(alphabet="ab.- \n\u00a0é", max_size=120)
separators = st.sampled_from(
    [
        DEFAULT_SEPARATORS,
        (". ", " ", ""),
        ("--", "\n\n", ""),
        ("aba", ".", ""),
        ("\n \n", "\n", ""),
        ("aaa", "\n\n", ""),
        ("",),
        (" ", ""),
    ]
)


@st.composite
def sizes(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, 40))
    return size, draw(st.integers(0, size - 1))


@settings(max_examples=400, deadline=None)
@given(prose, sizes(), separators)
def test_recursive_gives_the_chunks_of_langchain(text: str, size: tuple[int, int], words: tuple[str, ...]) -> None:
    library = RecursiveCharacterTextSplitter(chunk_size=size[0], chunk_overlap=size[1], separators=list(words))
    expected = [chunk for chunk in library.split_text(text) if chunk.strip()]
    spans = recursive_spans(text, RecursiveSettings(size=size[0], overlap=size[1], separators=words))
    assert [text[start:end] for start, end in spans] == expected


@settings(max_examples=200, deadline=None)
@given(prose, sizes(), separators)
def test_recursive_holds_the_size_and_loses_only_blanks(
    text: str, size: tuple[int, int], words: tuple[str, ...]
) -> None:
    spans = list(recursive_spans(text, RecursiveSettings(size=size[0], overlap=size[1], separators=words)))
    assert all(0 < end - start <= size[0] for start, end in spans)
    covered = {at for start, end in spans for at in range(start, end)}
    assert all(text[at].isspace() for at in set(range(len(text))) - covered)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80), sizes())
def test_token_windows_cover_the_text_and_stay_near_the_size(text: str, size: tuple[int, int]) -> None:
    spans = list(token_spans(text, TokenSettings(size=size[0], overlap=size[1])))
    covered = {at for start, end in spans for at in range(start, end)}
    assert covered == set(range(len(text)))
    tokens = encoding("cl100k_base").encode_ordinary(text)
    assert len(spans) <= max(1, len(tokens))


document = st.lists(
    st.sampled_from(
        [
            *("Dr. No. ", "One two three. ", "why? ", "é. ", "。", "x" * 30),
            *("\n\n", "```\n", "| a | b |\n|---|---|\n", "| 1 | 2 |\n"),
        ]
    ),
    max_size=25,
).map("".join) | st.text(max_size=80)  # fmt: skip


def by_length(_provider: str | None, _model: str | None) -> object:
    def embed(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        angles = np.array([len(text) % 7 for text in texts])
        return np.column_stack((np.cos(angles), np.sin(angles))).astype(np.float32)

    return embed


@pytest.mark.parametrize("strategy", ChunkStrategy)
@settings(max_examples=60, deadline=None)
@given(document, sizes())
def test_every_chunk_is_a_piece_of_its_text_in_order_and_within_the_size(
    strategy: str, text: str, size: tuple[int, int]
) -> None:
    has_sizes = strategy not in {ChunkStrategy.MARKDOWN_TABLE, ChunkStrategy.SEMANTIC}
    params: dict[str, object] = {"chunk_size": size[0], "chunk_overlap": size[1]} if has_sizes else {}
    if strategy == ChunkStrategy.REGEX:
        params["pattern"] = r"(?=One)|\n\n"
    spans = list(chunker(strategy, params, find_embedding=by_length)(text))  # type: ignore[arg-type]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)
    if has_sizes and strategy != ChunkStrategy.TOKEN:
        assert all(end - start <= size[0] for start, end in spans)
    covered = {at for start, end in spans for at in range(start, end)}
    assert all(text[at].isspace() for at in set(range(len(text))) - covered)


@settings(max_examples=150, deadline=None)
@given(document, st.sampled_from([r"\n\n", "o", r"(?=One)", r"(t)w", r"[.?] ", r"\d|(x)(y)?"]))
def test_regex_gives_the_pieces_of_pythons_split(text: str, pattern: str) -> None:
    spans = chunker("regex", {"pattern": pattern})(text)
    assert [text[start:end] for start, end in spans] == [piece for piece in re.split(pattern, text) if piece]
