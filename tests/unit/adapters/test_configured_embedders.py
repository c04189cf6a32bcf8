from __future__ import annotations

import sys

import pytest

from shoald.adapters.embedders.configured import ConfiguredEmbedders
from shoald.adapters.embedders.openai import OpenAIEmbedder, OpenAIEndpoint
from shoald.domain.failures import InvalidIndexConfig, MissingDependency
from shoald.domain.vocabulary import EmbeddingProvider


@pytest.fixture
def embedders() -> ConfiguredEmbedders:
    return ConfiguredEmbedders(threads=1, endpoint=OpenAIEndpoint(api_key="k"), openai_model="text-embedding-3-small")


def test_every_documented_provider_is_known_and_made_once(embedders: ConfiguredEmbedders) -> None:
    for provider in EmbeddingProvider:
        assert embedders.get(provider, None) is embedders.get(provider, None)


def test_huggingface_is_another_word_for_the_bundled_model(embedders: ConfiguredEmbedders) -> None:
    assert embedders.get("huggingface", "sentence-transformers/all-MiniLM-L6-v2") is embedders.get("local", None)


def test_the_mock_does_not_mind_a_model_name(embedders: ConfiguredEmbedders) -> None:
    assert embedders.get("mock", "whatever").info.name == "mock"


def test_an_unknown_provider_is_told_the_known_ones(embedders: ConfiguredEmbedders) -> None:
    with pytest.raises(InvalidIndexConfig, match="embedding_provider 'cohere'; known: mock, local"):
        embedders.get("cohere", None)


def test_a_local_model_that_is_not_bundled_is_refused(embedders: ConfiguredEmbedders) -> None:
    with pytest.raises(InvalidIndexConfig, match="embedding_model_name 'intfloat/e5'"):
        embedders.get("local", "intfloat/e5")


def test_openai_without_a_key_names_the_setting_before_anything_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    embedders = ConfiguredEmbedders(threads=1, endpoint=OpenAIEndpoint(), openai_model="text-embedding-3-small")
    for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingDependency, match="SHOAL_OPENAI_API_KEY"):
        embedders.get("openai", None)
    with pytest.raises(MissingDependency, match="SHOAL_OPENAI_API_KEY"):
        OpenAIEmbedder(OpenAIEndpoint(), "m").embed_query("x")
    assert "openai" not in sys.modules  # its import takes the better part of a second


def test_of_an_endpoints_models_those_used_last_are_kept(embedders: ConfiguredEmbedders) -> None:
    first, second = embedders.get("openai", "first"), embedders.get("openai", "second")
    for number in range(15):
        embedders.get("openai", f"another {number}")
        assert embedders.get("openai", "first") is first
    assert embedders.get("openai", "second") is not second
