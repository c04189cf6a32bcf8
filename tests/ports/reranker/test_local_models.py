"""Cross-encoders from a folder: found by name, never outside of it, refused with a reason when they cannot be used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest

from shoald.adapters.rerankers import local
from shoald.adapters.rerankers.configured import ConfiguredRerankers
from shoald.adapters.rerankers.local import LocalReranker
from shoald.domain.failures import MissingDependency, RerankingFailed
from support.tiny_cross_encoder import write_tiny_model

DEFAULT = "BAAI/bge-reranker-base"


def test_a_score_is_the_logistic_function_of_the_model_s_logit(tmp_path: Path) -> None:
    reranker = LocalReranker(write_tiny_model(tmp_path / "tiny"), "cpu")
    logits = [
        math.log(score / (1 - score)) for score in reranker.scores("bake bread", ["bake bread", "bread", "stars"])
    ]
    assert logits == pytest.approx([2, 1, 0], abs=1e-6)


def test_two_logits_are_the_odds_of_the_second(tmp_path: Path) -> None:
    one = LocalReranker(write_tiny_model(tmp_path / "one"), "cpu")
    two = LocalReranker(write_tiny_model(tmp_path / "two", outputs="two_logits"), "cpu")
    assert two.scores("bake bread", ["bread", "stars"]) == one.scores("bake bread", ["bread", "stars"])


def test_a_length_to_pad_to_is_not_kept(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    side = {"direction": "Right", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    tokenizer["padding"] = {"strategy": {"Fixed": 500}, **side}
    plain = LocalReranker(write_tiny_model(tmp_path / "plain"), "cpu").scores("bread", ["bread"])
    (model / "tokenizer.json").write_text(json.dumps(tokenizer))
    padded = LocalReranker(model, "cpu")
    assert padded.scores("bread", ["bread"]) == plain
    assert len(padded._loaded().tokenizer.encode("bread", "bread").ids) == 5


def test_a_long_pair_is_cut_to_what_the_model_takes(tmp_path: Path) -> None:
    reranker = LocalReranker(write_tiny_model(tmp_path / "tiny", most_tokens=8), "cpu")
    assert reranker.scores("bread", ["bread " * 4]) == reranker.scores("bread", ["bread " * 400])


@pytest.mark.parametrize("place", ["BAAI/bge-reranker-base", "bge-reranker-base"])
def test_the_documented_default_is_found_by_its_name(tmp_path: Path, place: str) -> None:
    write_tiny_model(tmp_path / place)
    found = ConfiguredRerankers(folder=tmp_path, endpoint=None).get(DEFAULT, "cpu")
    assert found.scores("bread", ["bread"])[0] > 0.5


def test_a_file_in_a_folder_of_its_own_is_found(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    (model / "onnx").mkdir()
    (model / "model.onnx").rename(model / "onnx" / "model.onnx")
    assert ConfiguredRerankers(folder=tmp_path, endpoint=None).get("tiny", "cpu").scores("bread", ["bread"])


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_model_that_is_not_there_names_the_setting(tmp_path: Path, *, has_folder: bool) -> None:
    rerankers = ConfiguredRerankers(folder=tmp_path if has_folder else None, endpoint=None)
    with pytest.raises(MissingDependency, match="BAAI/bge-reranker-base") as caught:
        rerankers.get(DEFAULT, "cpu")
    assert caught.value.detail["setting"] == "SHOAL_RERANKER_FOLDER"
    assert "SHOAL_RERANKER_URL" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["../tiny", "a/../tiny", "/etc", "a/b/c", ".", "..", "", "tiny/", "a\\b", "a\0b"])
def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    write_tiny_model(tmp_path / "tiny")
    (tmp_path / "models").mkdir()
    with pytest.raises(MissingDependency):
        ConfiguredRerankers(folder=tmp_path / "models", endpoint=None).get(name, "cpu")


def test_a_device_is_one_however_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_model(tmp_path / "tiny")
    gpu = SimpleNamespace(get_available_providers=lambda: ["CPUExecutionProvider", "CUDAExecutionProvider"])
    monkeypatch.setattr(local, "_onnxruntime", lambda: gpu)
    rerankers = ConfiguredRerankers(folder=tmp_path, endpoint=None)
    assert len({id(rerankers.get("tiny", device)) for device in ("cuda", "cuda:0", "cuda:00", "cuda:000")}) == 1
    with pytest.raises(MissingDependency):
        rerankers.get("tiny", "cuda:1000")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cpu:0", "cpu:", "tpu", "", "cuda:x"])
def test_a_device_that_is_not_there_is_said(tmp_path: Path, device: str) -> None:
    write_tiny_model(tmp_path / "tiny")
    with pytest.raises(MissingDependency) as caught:
        ConfiguredRerankers(folder=tmp_path, endpoint=None).get("tiny", device)
    assert caught.value.detail["field"] == "strategy.device"


@pytest.mark.parametrize("file", ["model.onnx", "tokenizer.json"])
def test_a_damaged_file_is_said(tmp_path: Path, file: str) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    (model / file).write_bytes(b"no model")
    with pytest.raises(MissingDependency, match="cannot be read") as caught:
        LocalReranker(model, "cpu").scores("bread", ["bread"])
    assert caught.value.detail["setting"] == "SHOAL_RERANKER_FOLDER"


def test_scores_that_are_no_numbers_are_a_failure(tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path / "tiny", outputs="broken")
    with pytest.raises(RerankingFailed):
        LocalReranker(model, "cpu").scores("bread", ["stars"])
