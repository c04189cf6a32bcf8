"""What every embedder promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import numpy.typing as npt
import pytest

from shoald.adapters.embedders import mock
from shoald.adapters.embedders.local import LocalEmbedder
from shoald.adapters.embedders.mock import MockEmbedder
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.application.ports.embedder import Embedder
from shoald.domain.failures import JobCanceled
from support.fakes.openai_server import openai_server

_TEXTS = [
    "How to bake bread",
    "Baking bread at home",
    "Stars and planets in space",
    "",
    "漢字 ünïcödé \0 🙂",
    "x " * 900,
]


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder(threads=2)


@pytest.fixture(params=["mock", "local", "openai"])
def embedder(request: pytest.FixtureRequest, local: LocalEmbedder) -> Iterator[Embedder]:
    if request.param == "mock":
        yield MockEmbedder()
    elif request.param == "local":
        yield local
    else:
        with (
            openai_server() as server,
            closing(OpenAIEmbedder(OpenAIEndpoint(base_url=server.base_url, api_key="k"), "m")) as remote,
        ):
            yield remote


def test_rows_are_unit_float32_of_the_dimension_it_says(embedder: Embedder) -> None:
    vectors = embedder.embed_passages(_TEXTS)
    assert vectors.shape == (len(_TEXTS), embedder.info.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert embedder.embed_query("x").shape == (embedder.info.dimension,)


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.info.dimension)


def test_a_text_has_one_vector_whatever_stands_beside_it(embedder: Embedder) -> None:
    together = embedder.embed_passages(_TEXTS * 2)
    np.testing.assert_array_equal(together[: len(_TEXTS)], together[len(_TEXTS) :])
    np.testing.assert_array_equal(together[1], embedder.embed_passages([_TEXTS[1]])[0])
    np.testing.assert_array_equal(together[1], embedder.embed_query(_TEXTS[1]))


def test_texts_of_many_lengths_have_the_vectors_that_each_has_alone(local: LocalEmbedder) -> None:
    texts = [f"{start} {'word ' * (number % 9)}" for number, start in enumerate(["stars", "bread", "sea", "moon"] * 15)]
    together = local.embed_passages(texts)
    alone = np.array([local.embed_query(text) for text in texts])
    np.testing.assert_array_equal(together, alone)


def test_texts_of_as_many_tokens_go_through_the_model_together(local: LocalEmbedder) -> None:
    runs = _Runs(local)
    runs.embedder.embed_passages(["one two"] * 40 + ["three"] * 3 + ["long " * 250])
    assert sorted(runs.shapes) == [(1, 252), (3, 3), (8, 4), (16, 4), (16, 4)]


class _Runs:
    """A local embedder whose runs of the model are noted, by their number of texts and of tokens."""

    def __init__(self, local: LocalEmbedder) -> None:
        local.warm()
        self.embedder = LocalEmbedder(threads=1)
        self.shapes: list[tuple[int, ...]] = []
        pieces, self._session = local._loaded()
        self.embedder._model = (pieces, self)

    def run(self, names: list[str], inputs: dict[str, npt.NDArray[np.int64]]) -> list[npt.NDArray[np.float32]]:
        self.shapes.append(inputs["input_ids"].shape)
        found: list[npt.NDArray[np.float32]] = self._session.run(names, inputs)
        return found


def test_like_texts_are_nearer_than_unlike(embedder: Embedder) -> None:
    bread, baking, space = embedder.embed_passages(_TEXTS[:3])
    assert bread @ baking > bread @ space + 0.1


def test_progress_ends_at_all_and_may_stop_the_work(embedder: Embedder) -> None:
    seen: list[int] = []
    embedder.embed_passages(["text"] * 30, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 30

    def stop(_done: int) -> None:
        raise JobCanceled

    with pytest.raises(JobCanceled):
        embedder.embed_passages(["text"] * 30, progress=stop)


@pytest.mark.parametrize("kind", ["mock.MockEmbedder", "local.LocalEmbedder"])
def test_another_process_makes_the_same_vectors(kind: str) -> None:
    module, name = kind.split(".")
    code = (
        f"from shoald.adapters.embedders.{module} import {name}; import sys; "
        f"sys.stdout.buffer.write({name}().embed_query('The same text').tobytes())"
    )
    first, second = (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, env={"PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    )
    assert first.stdout == second.stdout
    assert len(first.stdout) in {256 * 4, 384 * 4}


def test_the_mocks_components_are_never_negative_and_pinned() -> None:
    """The values are those of the first release; whoever changes them gives the embedder another version."""
    vectors = MockEmbedder().embed_passages(_TEXTS)
    assert vectors.min() >= 0
    assert np.flatnonzero(vectors[0] > 0.3).tolist() == [18, 126, 153, 194, 195]
    np.testing.assert_allclose(vectors[0, [18, 126, 153]], [0.3138652, 0.418487, 0.418487], atol=1e-6)
    np.testing.assert_array_equal(vectors[3], np.full(256, 1 / 16, np.float32))
    assert MockEmbedder.info.version == "1"


def test_the_mocks_texts_may_be_embedded_together_or_alone() -> None:
    texts = [f"text {number} of some" + " words" * (number % 7) for number in range(2_500)] + ["", "x" * 600_000]
    together = MockEmbedder().embed_passages(texts)
    for number in (0, 999, 1_000, 1_001, 2_499, 2_500, 2_501):
        np.testing.assert_array_equal(together[number], MockEmbedder().embed_query(texts[number]))


def test_words_of_plain_text_are_those_of_any_text() -> None:
    """Plain text takes a quicker way; a letter that is not plain, apart from the words, takes the other."""
    plain = "".join(map(chr, range(128))) + " a_b __ 1_2 don't\x1fstop\x00here"
    quick, slow = mock._words(plain), mock._words(plain + " é")
    assert [*quick, "é"] == slow
