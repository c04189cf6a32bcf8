"""Loaders give back what was written, wherever the blocks of the file happen to end."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.adapters.document_loaders import csv as csv_loader
from shoald.adapters.document_loaders import json as json_loader
from shoald.adapters.document_loaders.reading import UnusableFile

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
scalars = st.one_of(texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())
nested = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)


def expected(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def loaded(data: str, block: int, **params: Any) -> list[str]:
    with mock.patch("shoald.adapters.document_loaders.reading.BLOCK_BYTES", block):
        file = io.BytesIO(data.encode())
        return [item.content for item in json_loader.load(file, source="x", params=params)]


@settings(max_examples=300, deadline=None)
@given(st.lists(nested, max_size=5), st.integers(1, 40), st.booleans(), st.sampled_from([None, 0, 3]))
def test_json_comes_back_value_by_value(values: list[Any], block: int, ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001
    data = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    assert loaded(data, block) == [expected(value) for value in values if value is not None]
    with mock.patch("shoald.adapters.document_loaders.reading.BLOCK_BYTES", block):
        items = list(json_loader.load(io.BytesIO(data.encode()), source="x", params={}))
    places = [data[item.metadata["char_start"] : item.metadata["char_end"]] for item in items]
    assert [json.loads(place) for place in places] == [value for value in values if value is not None]


@settings(max_examples=150, deadline=None)
@given(st.lists(nested, max_size=4), st.integers(1, 40))
def test_a_program_that_changes_nothing_changes_nothing(values: list[Any], block: int) -> None:
    plain = [value for value in values if not has_hard_number(value)]
    assert loaded(json.dumps(plain), block, jq_schema=".[] | [.]") == [
        expected(value) for value in plain if value is not None
    ]


def has_hard_number(value: Any) -> bool:
    """Say whether a number may be written otherwise by jq."""
    if isinstance(value, dict):
        return any(map(has_hard_number, value.values()))
    if isinstance(value, list):
        return any(map(has_hard_number, value))
    return isinstance(value, float) or (isinstance(value, int) and abs(value) > 2**53)


@settings(max_examples=300, deadline=None)
@given(st.lists(nested, min_size=1, max_size=3), st.integers(1, 40), st.data())
def test_json_that_is_cut_off_is_refused(values: list[Any], block: int, data: st.DataObject) -> None:
    whole = json.dumps(values)
    cut = whole[: data.draw(st.integers(1, len(whole) - 1))]
    with pytest.raises(UnusableFile, match="JSON"):
        loaded(cut, block)


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\x85"), max_size=8)


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 4), st.sampled_from(",;\t|"), st.data(), st.integers(1, 4))
def test_cells_come_back(width: int, delimiter: str, data: st.DataObject, size: int) -> None:
    rows = data.draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=6))
    header = [f"column{n}" for n in range(width)]
    # words without any delimiter make the delimiter clear
    rows += [["word"] * width for _ in range(8)]
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    content = io.BytesIO(file.getvalue().encode())
    tables = list(csv_loader.load(content, source="x", params={"chunk_size": size}))
    found = [line for table in tables for line in table.content.split("\n")[2:]]
    kept = [row for row in rows if any(cell and not cell.isspace() for cell in row)]
    assert found == ["| " + " | ".join(cell.strip().replace("|", "\\|") for cell in row) + " |" for row in kept]
    assert [table.metadata["row_count"] for table in tables] == [
        len(kept[at : at + size]) for at in range(0, len(kept), size)
    ]
