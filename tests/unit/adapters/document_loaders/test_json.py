"""The JSON loader: one segment per value, whatever the size of the file."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.json import load
from shoald.adapters.document_loaders.reading import UnusableFile


def segments(data: str | bytes, **params: Any) -> list[Item]:
    file = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return list(load(file, source="x.json", params=params))


def contents(data: str | bytes, **params: Any) -> list[str]:
    return [content for content, *_ in segments(data, **params)]


def test_objects_are_indented_and_readable() -> None:
    (item,) = segments('[{"name": "Zoë", "n": [1]}]')
    assert item[0] == '{\n  "name": "Zoë",\n  "n": [\n    1\n  ]\n}'
    assert item[1] == {"source": "x.json", "char_start": 1, "char_end": 26}
    assert item[2:4] == ("text", "json")


def test_indentation_is_that_of_the_standard_library() -> None:
    value = {"a": [1, -2.5, [], {}, [[]], {"b": None}], 'é "\n': True, "": [{"x": {"y": "漢"}}]}
    assert contents(json.dumps([value])) == [json.dumps(value, ensure_ascii=False, indent=2)]


def test_scalars_are_plain_text_and_null_gives_nothing() -> None:
    assert contents('["a", 1, 1.5, true, null, 12345678901234567890]') == [
        "a",
        "1",
        "1.5",
        "true",
        "12345678901234567890",
    ]


@pytest.mark.parametrize("schema", [".", ".[]", None, "", " . "])
def test_a_list_is_expanded_once(schema: str | None) -> None:
    assert contents('["a", "b"]', jq_schema=schema) == ["a", "b"]


@pytest.mark.parametrize("schema", [".items", ".items[]"])
def test_a_list_within_is_expanded_once(schema: str) -> None:
    assert contents('{"items": [{"a": 1}, {"b": "ü"}]}', jq_schema=schema) == ['{\n  "a": 1\n}', '{\n  "b": "ü"\n}']


def test_an_object_is_one_segment() -> None:
    assert len(segments('{"a": 1, "b": 2}')) == 1


def test_a_program_can_write_the_text() -> None:
    assert contents('[{"n": "a", "t": "b"}]', jq_schema='.[] | .n + ": " + .t # as text') == ["a: b"]


def test_values_may_follow_each_other() -> None:
    assert contents('{"a": 1}\n{"a": 2}\n[3, 4]') == ['{\n  "a": 1\n}', '{\n  "a": 2\n}', "3", "4"]


@pytest.mark.parametrize("data", ["", " \n", "[]", "null"])
def test_a_file_without_values_has_no_segments(data: str) -> None:
    assert segments(data) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_encoding_is_found(encoding: str) -> None:
    assert contents('["größer 漢字"]'.encode(encoding)) == ["größer 漢字"]


def test_what_postgresql_cannot_hold_is_dropped_or_replaced() -> None:
    assert contents(r'["a\u0000b \ud800 c"]') == ["ab \ufffd c"]


@pytest.mark.parametrize(
    "data",
    ['{"a":', "[1,]", "[1 2]", "nul", "[NaN]", "[1", '"open', "]", "\x89PNG", "[" * 100_000],
)
def test_bad_json_is_refused_with_a_reason(data: str) -> None:
    with pytest.raises(UnusableFile, match="JSON"):
        segments(data)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"jq_schema": ".["}, "jq_schema does not work"),
        ({"jq_schema": ".a.b"}, "jq_schema does not work: .*[Cc]annot index"),
        ({"jq_schema": 3}, "jq_schema must be a text"),
        ({"jq_schema": "\0"}, "NUL"),
        ({"jq_schema": "." * 10_001}, "longer than"),
        ({"jq": "."}, r"loader_params\.jq does not apply here; known: jq_schema"),
    ],
)
def test_bad_parameters_are_refused_with_a_reason(params: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnusableFile, match=reason):
        segments('[{"a": 1}]', **params)


@pytest.mark.parametrize("program", ["repeat(1)", "repeat([range(100)])", "[range(1004)]"])
def test_a_program_that_gives_without_end_is_refused(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    monkeypatch.setattr("shoald.adapters.document_loaders.json.MOST_OUTPUTS_BESIDES", 1_000)
    with pytest.raises(UnusableFile, match="jq_schema gives more values than the file can hold"):
        segments("[1]", jq_schema=program)


def test_a_program_may_give_more_values_than_the_file_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoald.adapters.document_loaders.json.MOST_OUTPUTS_BESIDES", 1_000)
    assert len(segments("[1]", jq_schema="range(1003)")) == 1_003


def test_a_list_of_any_length_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text("[" + '{"text": "something to read"}, ' * 500_000 + "1]")
    with path.open("rb") as file:
        tracemalloc.start()
        count = sum(1 for _ in zip(range(20_000), load(file, source="x", params={}), strict=False))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 4_000_000


def test_a_value_longer_than_a_block_is_read_whole() -> None:
    long = "é" * 700_000
    assert contents(json.dumps([long, "b"], ensure_ascii=False)) == [long, "b"]
