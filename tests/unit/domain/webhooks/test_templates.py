from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.webhooks.templates import filled, filled_json, filled_text, flaw_of_template

VALUES = {"a": {"b": [10, {"c": 'say "x"'}]}, "n": None, "yes": True}


@pytest.mark.parametrize(
    "template",
    [
        "{{ 7 * 7 }}",
        "{{ a|tojson }}",
        "{{ a.b() }}",
        "{{ ''.__class__ }}",
        "{% for x in a %}",
        "{# c #}",
        "{{ a",
        "{{ a[0] }}",
    ],
)
def test_what_is_more_than_a_value_is_refused(template: str) -> None:
    assert flaw_of_template({"deep": [template]}) is not None


def test_nested_objects_of_json_text_are_no_expressions() -> None:
    assert flaw_of_template('{"a": {"b": {"c": "{{ a.b }}"}}}') is None


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ a.b.0 }}", 10),
        (" {{ yes }} ", True),
        ("{{ a.b }}", VALUES["a"]["b"]),  # type: ignore[index]
        ("{{ gone.on }}", None),
        ("{{ a.b.7 }}", None),
        ("is {{ a.b.0 }}, {{ n }}.", "is 10, ."),
        ("{{ a }}!", '{"b": [10, {"c": "say \\"x\\""}]}!'),
        (5, 5),
        ([{"k": "{{ yes }}"}], [{"k": True}]),
    ],
)
def test_values_take_the_place_of_their_paths(template: Any, expected: Any) -> None:
    assert filled(template, VALUES) == expected


@given(st.text())
def test_text_inside_json_strings_is_escaped(text: str) -> None:
    assert json.loads(filled_json('{"t": "<{{ v }}>", "n": {{ v }}}', {"v": text})) == {"t": f"<{text}>", "n": text}


@given(st.text())
def test_values_are_not_templates_themselves(text: str) -> None:
    assert filled_text("{{ v }}", {"v": text, "w": "secret"}) == text
