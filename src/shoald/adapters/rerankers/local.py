"""A cross-encoder of the operator's own, as ONNX in a folder: query and passage go in together, a score comes out."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.failures import MissingDependency, RerankingFailed

_DEVICE = re.compile(r"cpu|cuda(?::([0-9]{1,3}))?")
_MODEL_FILES = ("model.onnx", "onnx/model.onnx")
_TOKENIZER_FILE = "tokenizer.json"
_CPU, _CUDA = "cpu", "cuda"
_PROVIDERS = {_CPU: "CPUExecutionProvider", _CUDA: "CUDAExecutionProvider"}
# On a processor batches save nothing and let a score depend on its neighbours' padding.
_PAIRS_A_RUN = {_CPU: 1, _CUDA: 32}
_MOST_TOKENS = 512
_SETTING = "SHOAL_RERANKER_FOLDER"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """An open model: its tokenizer, its session, and the names of what the session takes."""

    tokenizer: Any
    session: Any
    inputs: frozenset[str]


class LocalReranker:
    """One model of a folder on one `known_device`, on the calling thread; loaded when it is first asked.

    The score is the model's own, brought between 0 and 1: by the logistic function from one logit, by softmax from two.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self._folder = folder
        self._device = device
        self._loading = threading.Lock()
        self._model: _Loaded | None = None

    def scores(self, query: str, passages: Sequence[str], check: Callable[[int], None] = lambda _: None) -> list[float]:
        """Score pair by pair, or on a GPU a few together."""
        model = self._loaded()
        size = _PAIRS_A_RUN[self._device.partition(":")[0]]
        scores: list[float] = []
        while len(scores) < len(passages):
            check(len(scores))
            scores.extend(_run(model, query, passages[len(scores) : len(scores) + size]).tolist())
        return scores

    def _loaded(self) -> _Loaded:
        with self._loading:
            if self._model is None:
                self._model = _load(self._folder, self._device)
            return self._model


def has_model(folder: Path) -> bool:
    """Say whether a folder holds a model as this adapter reads it."""
    return (folder / _TOKENIZER_FILE).is_file() and any((folder / name).is_file() for name in _MODEL_FILES)


def known_device(device: str) -> str:
    """Return the one name of a device; raises `MissingDependency` for one that onnxruntime does not have here."""
    named = _DEVICE.fullmatch(device)
    if named is not None:
        kind = _CUDA if device.startswith(_CUDA) else _CPU
        if _PROVIDERS[kind] in _onnxruntime().get_available_providers():
            return kind if kind == _CPU else f"{kind}:{int(named[1] or 0)}"
    raise MissingDependency(
        f"The reranking model cannot run on the device {device!r}.",
        detail={"field": "strategy.device", "device": device},
        hint="There is always `cpu`; `cuda` and `cuda:N` need an onnxruntime built for CUDA and a GPU.",
    )


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _not_installed(error) from error
    return onnxruntime


def _not_installed(error: ImportError) -> MissingDependency:
    return MissingDependency(
        "What runs reranking models is not installed: install shoal[rerank].", detail={"package": error.name}
    )


def _load(folder: Path, device: str) -> _Loaded:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER_FILE))
        tokenizer.enable_truncation(_most_tokens(folder))
        # some tokenizers say a length to which every pair is to be padded, which would only cost time
        tokenizer.enable_padding(**{**(tokenizer.padding or {}), "length": None})
        session = _open_session(folder, device)
    except MissingDependency:
        raise
    # the tokenizer and onnxruntime raise bare exceptions of many kinds for files that they cannot read
    except Exception as error:
        raise MissingDependency(
            f"The reranking model in {_SETTING} cannot be read: {str(error)[:300]}",
            detail={"setting": _SETTING, "model": folder.name},
        ) from error
    return _Loaded(tokenizer, session, frozenset(given.name for given in session.get_inputs()))


def _most_tokens(folder: Path) -> int:
    """Return how long a pair may be: what the tokenizer's configuration says, at most 512."""
    try:
        said = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("model_max_length")
    except (OSError, ValueError):
        said = None
    return min(int(said), _MOST_TOKENS) if isinstance(said, int | float) and said > 0 else _MOST_TOKENS


def _open_session(folder: Path, device: str) -> Any:
    onnxruntime = _onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    kind, _, number = device.partition(":")
    provider: Any = (_PROVIDERS[kind], {"device_id": int(number)}) if number else _PROVIDERS[kind]
    path = next(folder / name for name in _MODEL_FILES if (folder / name).is_file())
    session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    if _PROVIDERS[kind] not in session.get_providers():  # onnxruntime falls back without a word
        raise MissingDependency(
            f"The reranking model cannot run on the device {device!r}.",
            detail={"field": "strategy.device", "device": device},
        )
    return session


def _run(model: _Loaded, query: str, passages: Sequence[str]) -> npt.NDArray[np.float64]:
    """Score pairs that go through the model together: (n,) float64 between 0 and 1."""
    encoded = model.tokenizer.encode_batch([(query, passage) for passage in passages])
    columns = {
        "input_ids": [pair.ids for pair in encoded],
        "attention_mask": [pair.attention_mask for pair in encoded],
        "token_type_ids": [pair.type_ids for pair in encoded],
    }
    given = {name: np.array(rows, np.int64) for name, rows in columns.items() if name in model.inputs}
    try:
        logits = np.asarray(model.session.run(None, given)[0], np.float64)
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise RerankingFailed(f"The reranking model cannot be run: {str(error)[:300]}") from error
    return _probabilities(logits, len(passages))


def _probabilities(logits: npt.NDArray[np.float64], pairs: int) -> npt.NDArray[np.float64]:
    """Turn one logit, or the logits of "no" and "yes", of each pair into a share; raises `RerankingFailed`."""
    if logits.size not in {pairs, 2 * pairs} or not np.isfinite(logits).all():
        raise RerankingFailed(f"The reranking model answers {logits.shape} for {pairs} pairs, or no finite numbers.")
    rows = logits.reshape(pairs, -1)
    log_odds = rows[:, 1] - rows[:, 0] if rows.shape[1] > 1 else rows[:, 0]
    # the logistic function by tanh, which does not overflow
    shares: npt.NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * log_odds))
    return shares
