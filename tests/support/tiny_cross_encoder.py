"""A cross-encoder of a few hundred bytes, written here: its logit is how many words query and passage share.

ONNX files are protobuf; the few fields that this model needs are written by hand, so that no test needs the package
that makes such files.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path

_INT64, _FLOAT = 7, 1
_VARINT, _BYTES = 0, 2
# the numbers of the fields, from onnx.proto
_MODEL = {"ir_version": 1, "graph": 7, "opset_import": 8}
_GRAPH = {"node": 1, "name": 2, "initializer": 5, "input": 11, "output": 12}
_NODE = {"input": 1, "output": 2, "op_type": 4, "attribute": 5}
_TENSOR = {"dims": 1, "data_type": 2, "name": 8, "raw_data": 9}
_INTEGER_ATTRIBUTE = 2


def write_tiny_model(folder: Path, *, outputs: str = "logits", most_tokens: int = 64) -> Path:
    """Write `model.onnx`, `tokenizer.json` and `tokenizer_config.json` into a folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(_model(outputs))
    _write_tokenizer(folder / "tokenizer.json")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": most_tokens}))
    return folder


def _write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    letters = [chr(code) for code in range(97, 123)]
    pieces = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "bread", "bake", "stars", *letters, *(f"##{c}" for c in letters)]
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    tokenizer.save(str(path))


def _model(outputs: str) -> bytes:
    """Count the pairs of equal words of query and passage; the end mark, which both have, is taken off."""
    nodes = [
        _node("Cast", ["attention_mask"], "mask", to=_FLOAT),
        _node("Cast", ["token_type_ids"], "second", to=_FLOAT),
        _node("Mul", ["mask", "second"], "passage"),
        _node("Sub", ["mask", "passage"], "query"),
        _node("Unsqueeze", ["input_ids", "axis2"], "down"),
        _node("Unsqueeze", ["input_ids", "axis1"], "across"),
        _node("Equal", ["down", "across"], "same"),
        _node("Cast", ["same"], "equal", to=_FLOAT),
        _node("Unsqueeze", ["query", "axis2"], "from_query"),
        _node("Unsqueeze", ["passage", "axis1"], "to_passage"),
        _node("Mul", ["from_query", "to_passage"], "between"),
        _node("Mul", ["equal", "between"], "pairs"),
        _node("ReduceSum", ["pairs", "axes"], "count", keepdims=0),
        _node("Sub", ["count", "one"], "shared"),
        _node("Unsqueeze", ["shared", "axis1"], "logits"),
        _node("Mul", ["logits", "none"], "zero"),
        _node("Concat", ["zero", "logits"], "two_logits", axis=1),
        _node("Div", ["logits", "zero"], "broken"),
    ]
    fields = [_field(_GRAPH["node"], node) for node in nodes]
    fields.append(_field(_GRAPH["name"], b"tiny"))
    fields += [_field(_GRAPH["initializer"], tensor) for tensor in _constants()]
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    fields += [_field(_GRAPH["input"], _value(name, _INT64, ("pairs", "tokens"))) for name in inputs]
    fields.append(_field(_GRAPH["output"], _value(outputs, _FLOAT, ("pairs", "labels"))))
    opset = _field(_MODEL["opset_import"], _field(2, 13))
    return _field(_MODEL["ir_version"], 8) + _field(_MODEL["graph"], b"".join(fields)) + opset


def _constants() -> Iterable[bytes]:
    for name, axes in (("axis1", [1]), ("axis2", [2]), ("axes", [1, 2])):
        raw = b"".join(axis.to_bytes(8, "little") for axis in axes)
        yield _tensor(name, _INT64, [len(axes)], raw)
    yield _tensor("one", _FLOAT, [1], struct.pack("<f", 1.0))
    yield _tensor("none", _FLOAT, [1], struct.pack("<f", 0.0))


def _tensor(name: str, kind: int, dims: Sequence[int], raw: bytes) -> bytes:
    sizes = b"".join(_field(_TENSOR["dims"], size) for size in dims)
    return (
        sizes
        + _field(_TENSOR["data_type"], kind)
        + _field(_TENSOR["name"], name.encode())
        + _field(_TENSOR["raw_data"], raw)
    )


def _node(kind: str, inputs: Sequence[str], output: str, **integers: int) -> bytes:
    fields = [_field(_NODE["input"], name.encode()) for name in inputs]
    fields += [_field(_NODE["output"], output.encode()), _field(_NODE["op_type"], kind.encode())]
    for name, value in integers.items():
        attribute = _field(1, name.encode()) + _field(3, value) + _field(20, _INTEGER_ATTRIBUTE)
        fields.append(_field(_NODE["attribute"], attribute))
    return b"".join(fields)


def _value(name: str, kind: int, dims: Sequence[str]) -> bytes:
    shape = b"".join(_field(1, _field(2, dim.encode())) for dim in dims)
    tensor = _field(1, kind) + _field(2, shape)
    return _field(1, name.encode()) + _field(2, _field(1, tensor))


def _field(number: int, value: int | bytes) -> bytes:
    """Write one field of a message: an integer as a varint, bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3 | _VARINT) + _varint(value)
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
