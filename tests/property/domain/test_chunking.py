"""What holds for every text: the chunks of the library that users know, verbatim, within the size, nothing lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_text_splitters import RecursiveCharacterTextSplitter

from shoald.domain.chunking.encodings import encoding
from shoald.domain.chunking.recursive import DEFAULT_SEPARATORS, RecursiveSettings, recursive_spans
from shoald.domain.chunking.token import TokenSettings, token_spans

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
