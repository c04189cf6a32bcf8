"""Which requests are refused for what they hold, whatever the rules of their fields say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import struct_pb2

from shoald.transport.interceptors.validation import Unusable, Validation


def _read(value: Any) -> Any:
    struct = struct_pb2.Struct()
    struct.update({"list": value})
    read: Callable[[bytes], Any] = Validation().deserializer("/shoal.rag.v1.X/Y", struct_pb2.Struct.FromString)
    return read(struct.SerializeToString())


@pytest.mark.parametrize(
    ("value", "loc"),
    [
        ([1, "ab\0cdef", 2], ("body", "list", 1)),  # on the wire as long as a number
        (["x\0"], ("body", "list", 0)),
        ([[1, 2], [3, float("nan")]], ("body", "list", 1, 1)),
        ([1, float("inf"), 2], ("body", "list", 1)),
    ],
)
def test_text_with_nul_and_numbers_that_are_none_are_found_in_lists(value: Any, loc: tuple[str | int, ...]) -> None:
    found = _read(value)
    assert isinstance(found, Unusable)
    assert [problem.loc for problem in found.problems] == [loc]


@pytest.mark.parametrize("value", [[0.0, -0.0, 1e308, 5e-324], [], [[]], ["\u00ff\u007f", 2.0], [None, True, {"a": 1}]])
def test_other_lists_pass(value: Any) -> None:
    assert isinstance(_read(value), struct_pb2.Struct)
