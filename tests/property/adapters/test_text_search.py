"""Patterns and likeness over files, against the libraries asked text by text."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from shoald.adapters.text_search.files import ArrowTextFile, ArrowTextSearch

search = ArrowTextSearch()
letters = st.sampled_from("abcÄß é1_-мK.\n")
some_texts = st.lists(st.text(letters, max_size=12), max_size=8)
atoms = st.sampled_from(
    ["a", "b", "м", "ß", r"\w", r"\d", r"\s", r"\W", ".", "[ab]", "[^a]", r"[\wé]", r"\b", "k", r"\."]
)
sequences = st.lists(st.tuples(atoms, st.sampled_from(["", "", "*", "+?", "{1,2}"])), min_size=1, max_size=4)
pieces = sequences.map(lambda parts: "".join(atom + ("" if atom == r"\b" else times) for atom, times in parts))
whole_words = pieces.map(lambda part: rf"\b{part}\b")
patterns = st.one_of(
    pieces,
    whole_words,
    st.tuples(whole_words, whole_words).map("|".join),
    st.tuples(pieces, pieces).map("|".join),
    pieces.map(lambda part: f"(?={part}){part}"),
)


def written(texts: Sequence[str]) -> ArrowTextFile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts"
        with path.open("wb") as file, search.open_writer(file.write) as writer:
            for start in range(0, len(texts), 3):
                writer.add(texts[start : start + 3])
        return search.open_texts(str(path))


@settings(max_examples=150, deadline=None)
@given(some_texts, patterns, st.sets(st.integers(0, 7)))
def test_a_pattern_finds_what_the_backtracking_engine_finds(texts: list[str], source: str, chosen: set[int]) -> None:
    allowed = np.array(sorted(at for at in chosen if at < len(texts)), dtype=np.int64)
    pattern, reference = search.pattern(source), regex.compile(source, regex.IGNORECASE | regex.VERSION0)
    expected = [at for at, text in enumerate(texts) if reference.search(text)]
    file = written(texts)
    assert file.matching(pattern).tolist() == expected
    assert file.matching(pattern, allowed=allowed).tolist() == [at for at in expected if at in chosen]
    for text in texts:
        spans = pattern.spans(text, most=1)
        found = reference.search(text)
        assert bool(spans) == (found is not None)
        assert not spans or found is None or spans[0][0] == found.start()


@settings(max_examples=150, deadline=None)
@given(some_texts, st.text(letters, max_size=8), st.integers(0, 100), st.sets(st.integers(0, 7)))
def test_likeness_is_the_partial_ratio(texts: list[str], query: str, threshold: int, chosen: set[int]) -> None:
    ratios = {at: fuzz.partial_ratio(query.lower(), text.lower()) for at, text in enumerate(texts)}
    expected = {at: ratio for at, ratio in ratios.items() if ratio >= threshold and query.strip()}
    allowed = np.array(sorted(at for at in chosen if at < len(texts)), dtype=np.int64)
    file = written(texts)
    assert found(file, query, threshold, None) == expected
    assert found(file, query, threshold, allowed) == {at: ratio for at, ratio in expected.items() if at in chosen}


words = st.sampled_from(["Red", "apple", "pie", "of", "the", "Süden", "number", "banana"])
passages = st.lists(words, min_size=0, max_size=40).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(passages, min_size=1, max_size=6), st.lists(words, min_size=14, max_size=120), st.integers(30, 100))
def test_no_text_is_left_out_of_a_long_comparison(texts: list[str], query: list[str], threshold: int) -> None:
    asked = " ".join(query)
    ratios = {at: fuzz.partial_ratio(asked.lower(), text.lower()) for at, text in enumerate(texts)}
    file = written(texts)
    assert found(file, asked, threshold, None) == {at: ratio for at, ratio in ratios.items() if ratio >= threshold}


def found(file: ArrowTextFile, query: str, threshold: int, allowed: np.ndarray | None) -> dict[int, float]:
    positions, scores = file.alike(query, threshold=threshold, allowed=allowed)
    assert (np.diff(positions) > 0).all()
    return dict(zip(positions.tolist(), scores.tolist(), strict=True))
