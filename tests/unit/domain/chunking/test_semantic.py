"""The semantic strategy with vectors that are made up, so that what must be cut can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from shoald.domain.chunking import Embedding, chunker
from shoald.domain.failures import InvalidChunkerParams

TEXT = "Apples are red. Apples grow. Stars burn. Stars are far. Stars die. Dogs bark."
TOPICS = ("Apples", "Stars", "Dogs")


def by_topic(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Count the topics of each text."""
    counts = np.array([[text.count(topic) for topic in TOPICS] for text in texts], np.float32)
    rows: npt.NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    return rows


class Finder:
    """Remembers what was asked for."""

    def __init__(self, embed: Embedding = by_topic) -> None:
        self.asked: list[tuple[str | None, str | None]] = []
        self._embed = embed

    def find(self, provider: str | None, model: str | None) -> Embedding:
        self.asked.append((provider, model))
        return self._embed


def cut(text: str = TEXT, **params: object) -> list[str]:
    return [text[start:end] for start, end in chunker("semantic", params, find_embedding=Finder().find)(text)]


def test_a_fixed_threshold_cuts_where_neighbours_differ() -> None:
    assert cut(window_size=0) == ["Apples are red. Apples grow.", "Stars burn. Stars are far. Stars die.", "Dogs bark."]


def test_a_threshold_of_minus_one_cuts_nowhere_and_of_one_wherever_anything_changes() -> None:
    assert cut(window_size=0, threshold=-1) == [TEXT]
    assert len(cut(window_size=0, threshold=1)) == 3


def test_a_window_joins_the_sentences_on_each_side() -> None:
    seen: list[str] = []

    def remembering(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        seen.extend(texts)
        return by_topic(texts)

    list(chunker("semantic", {"window_size": 1}, find_embedding=Finder(remembering).find)("Oh. Apples. Stars."))
    # "Oh." alone has no topic, but stands beside one
    assert seen == ["Oh. Apples.", "Oh. Apples. Stars.", "Apples. Stars."]


def test_a_percentile_cuts_the_largest_jumps() -> None:
    angles = np.cumsum([0, 1, 1, 30, 1, 1, 1, 60, 1, 1, 1])

    def turning(texts: Sequence[str]) -> npt.NDArray[np.float32]:
        at = np.deg2rad([angles[int(text.rstrip("."))] for text in texts])
        return np.column_stack((np.cos(at), np.sin(at))).astype(np.float32)

    text = "\n\n".join(f"{n}" for n in range(11))
    how = {"threshold_type": "percentile", "window_size": 0}
    cutter = chunker("semantic", {**how, "percentile_threshold": 90}, find_embedding=Finder(turning).find)
    assert [text[a:b].split("\n\n")[0] for a, b in cutter(text)] == ["0", "7"]
    cutter = chunker("semantic", {**how, "percentile_threshold": 80}, find_embedding=Finder(turning).find)
    assert [text[a:b].split("\n\n")[0] for a, b in cutter(text)] == ["0", "3", "7"]


def test_more_sentences_than_are_embedded_together_are_all_compared() -> None:
    text = " ".join(["Apples grow."] * 300 + ["Stars burn."] * 300)
    assert cut(text, window_size=0) == [" ".join(["Apples grow."] * 300), " ".join(["Stars burn."] * 300)]


@pytest.mark.parametrize(("text", "expected"), [("", []), (" \n", []), ("Apples.", ["Apples."])])
def test_texts_with_fewer_than_two_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected
    assert cut(text, threshold_type="percentile") == expected


def test_who_embeds_is_asked_for_by_name() -> None:
    finder = Finder()
    chunker("semantic", {"embedding_provider": "mock", "embedding_model_name": "m"}, find_embedding=finder.find)
    chunker("semantic", {}, find_embedding=finder.find)
    assert finder.asked == [("mock", "m"), (None, None)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 1.5),
        ("threshold", "warm"),
        ("threshold", True),
        ("threshold_type", "gradient"),
        ("percentile_threshold", 101),
        ("percentile_threshold", -1),
        ("window_size", -1),
        ("window_size", 101),
        ("window_size", 0.5),
        ("embedding_provider", 3),
        ("chunk_size", 100),
    ],
)
def test_a_bad_parameter_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidChunkerParams) as caught:
        chunker("semantic", {name: value}, find_embedding=Finder().find)
    assert caught.value.detail["parameter"] == name
