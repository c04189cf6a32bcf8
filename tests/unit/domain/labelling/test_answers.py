"""What is taken out of the answers of models, and what is not."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.labelling.answer_shapes import default_schema, label_field, schema_of, shape_flaw
from shoald.domain.labelling.answers import LONGEST_LABEL, BadAnswer, read_answer

SHAPE = default_schema(summary=True, keywords=True)


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "Files"}',
        '```json\n{"label": "Files"}\n```',
        'Here you are: {"label": "Files"} - shall I go on?',
        '[{"cluster_id": "cl_0", "label": "Files"}]',
        '[{"cluster_id": "cl_1", "label": "Other"}, {"cluster_id": "cl_0", "label": "Files"}]',
        '{"cl_0": {"label": "Files"}, "cl_1": {"label": "Other"}}',
        '{"clusters": [{"label": "Files"}]}',
        '{"label": "  \\"Files\\"  "}',
        '{"label": "Fi\\u0000les\\u202e"}',
        '<think>{"label": "Other"}</think>\n{"label": "Files"}',
        '<thinking>so <think>{"label": "Other"}</think>{"label": "Files"}',
        '{"label": "Files"} <think> and so on',
    ],
)
def test_a_label_is_found_in_what_stands_around_it(text: str) -> None:
    answer = read_answer(text, SHAPE)
    assert (answer.label, answer.is_partial) == ("Files", False)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("I cannot", "no JSON"),
        ("{}", "no JSON"),
        ('{"label": 7}', "no label"),
        ('{"label": " \\u200b "}', "label was empty"),
        (json.dumps({"label": "x" * (LONGEST_LABEL + 1)}), "more than 200"),
        (json.dumps([{"cluster_id": f"c{at}", "label": "x"} for at in range(20)]), "20 groups"),
        (json.dumps([{"cluster_id": "cl_0", "label": "x"}] * 2), "2 groups"),
        ("[" * 100_000, "no JSON"),
        ('{"a": ' * 50_000, "no JSON"),
    ],
)
def test_what_holds_no_label_of_the_group_says_why(text: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        read_answer(text, SHAPE)


def test_what_came_before_an_answer_was_cut_off_is_taken_and_marked() -> None:
    answer = read_answer('{"label": "Files", "keywords": ["open", "clo', SHAPE)
    assert (answer.label, answer.keywords, answer.is_partial) == ("Files", ("open",), True)


@pytest.mark.parametrize(
    ("said", "share"), [(0.4, 0.4), (85, 0.85), ("90%", 0.9), ("high", 0.9), (-3, 0.0), (400, 1.0), (True, None)]
)
def test_a_confidence_is_a_share_of_one(said: Any, share: float | None) -> None:
    answer = read_answer(json.dumps({"label": "x", "confidence": said}), SHAPE)
    assert answer.confidence == (None if share is None else pytest.approx(share))


def test_further_fields_are_those_of_the_shape_as_it_says() -> None:
    shape = schema_of({"label": "string", "mood": "good | bad", "parts": ["string"], "score": "number"})
    said = {"label": "x", "mood": "ugly", "parts": ["a\u202e"], "score": "high", "other": 1}
    assert read_answer(json.dumps(said), shape).fields == {"parts": ["a"]}


def test_a_summary_and_keywords_in_the_form_that_a_shape_gives_them_are_further_fields() -> None:
    shape = schema_of({"label": "string", "summary": ["string"], "keywords": [{"word": "string", "weight": "number"}]})
    said = {"summary": ["One.", "Two."], "keywords": [{"word": "open", "weight": 0.5}]}
    answer = read_answer(json.dumps({"label": "x", **said}), shape)
    assert (answer.summary, answer.keywords, answer.fields) == (None, None, said)
    answer = read_answer(json.dumps({"label": "x", **said}), SHAPE)
    assert (answer.summary, answer.keywords, answer.fields) == (None, None, {})


@given(st.text(max_size=300))
def test_no_text_at_all_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(BadAnswer):
        assert read_answer(text, SHAPE).label


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.floats(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_every_shape_has_a_label(shape: Any) -> None:
    schema = schema_of(shape)
    assert schema["type"] == "object" or "properties" in schema
    assert isinstance(label_field(schema), str)


@pytest.mark.parametrize(
    ("words", "fields"),
    [
        (
            "Extract cluster category, confidence score between 0 and 1, and top 3 representative keywords",
            {"cluster_category": "string", "confidence_score": "number", "representative_keywords": "array"},
        ),
        (
            "Generate cluster theme, sentiment (positive/negative/neutral), and list of key entities",
            {"cluster_theme": "string", "sentiment": "string", "key_entities": "array"},
        ),
        (
            "Extract cluster category, confidence score (0-1), and top 3 representative terms",
            {"cluster_category": "string", "confidence_score": "number", "representative_terms": "array"},
        ),
    ],
)
def test_the_documents_sentences_are_shapes(words: str, fields: dict[str, str]) -> None:
    schema = schema_of(words)
    assert {name: one["type"] for name, one in schema["properties"].items()} == fields


def test_a_field_that_speaks_of_confidence_is_not_taken_for_it() -> None:
    shape = schema_of({"label": "string", "confidence_reason": "string", "confidence": "number"})
    answer = read_answer('{"label": "x", "confidence_reason": "all alike", "confidence": 0.7}', shape)
    assert (answer.confidence, answer.fields) == (0.7, {"confidence_reason": "all alike"})
    answer = read_answer('{"label": "x", "confidence_reason": "all alike", "confidence_score": 0.6}', shape)
    assert (answer.confidence, answer.fields) == (0.6, {"confidence_reason": "all alike"})


KINDS = st.sampled_from(["string", "null", "object", "array", 5, ["string", "null"], ["object"], None])
SCHEMAS = st.recursive(
    st.fixed_dictionaries({}, optional={"type": KINDS, "enum": st.just(["a"])}) | st.just(True),
    lambda one: st.fixed_dictionaries(
        {"properties": st.dictionaries(st.sampled_from(["label", "name", "b"]), one) | st.just(["a"]) | st.none()},
        optional={"type": KINDS, "items": one, "required": st.sampled_from([["b"], [["b"]], "b", 5, None])},
    ),
    max_leaves=6,
)


@given(SCHEMAS, SCHEMAS)
def test_a_schema_is_refused_or_can_be_answered(shape: Any, said: Any) -> None:
    if shape_flaw(shape) is not None:
        return
    schema = schema_of(shape)
    answer = {label_field(schema): "Files", "b": said}
    with contextlib.suppress(BadAnswer):
        assert read_answer(json.dumps(answer), schema).label == "Files"


@pytest.mark.parametrize(
    ("shape", "flaw"),
    [
        ({"properties": ["label"]}, "properties must be"),
        ({"properties": {}, "required": [["label"]]}, "required must be"),
        ({"properties": {"a": {"items": {"type": 5}}}}, "type must be"),
        ({"type": "array", "items": {"properties": 1}}, "properties must be"),
    ],
)
def test_what_is_wrong_with_a_schema_is_said(shape: Any, flaw: str) -> None:
    assert (shape_flaw(shape) or "").startswith(flaw)


def test_a_label_that_may_be_null_becomes_a_text() -> None:
    schema = schema_of({"properties": {"label": {"type": ["string", "null"], "enum": ["a"]}}, "required": ["label"]})
    assert schema["properties"]["label"] == {"type": "string", "enum": ["a"]}
    assert schema["required"] == ["label"]
