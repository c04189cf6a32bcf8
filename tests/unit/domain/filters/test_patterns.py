"""Which regular expressions a filter may have."""

from __future__ import annotations

import re

import pytest

from shoald.domain.filters.patterns import BadPattern, read_pattern


@pytest.mark.parametrize(
    "source",
    [
        "abc",
        "a|b",
        "^a.*b$",
        "(a|b)+c?",
        "(?:ab){2,3}",
        "[a-z0-9_]+",
        r"[^\]\[]",
        r"\d\s\w\b\B",
        r"\(\{",
        "a*?",
        "",
        "[-a]",
    ],
)
def test_the_language(source: str) -> None:
    assert re.compile(read_pattern(source).python)


@pytest.mark.parametrize(
    "source",
    [
        "(", ")", "[", "a{", "a{,3}", "*a", "a**", "a*+", "a{2}{3}", r"(a)\1", "(?=a)", "(?!a)", "(?<=a)", "(?P<n>a)",
        "(?i)a",
        "[[:alpha:]]", "[a[b]", "[]a]", r"[\w\b]", r"[\W]", r"\A", r"\x41", "\\", "a{300}", "a{5,2}", "(a{100}){100}",
        "((a{20}){20}){20}", "a{255}" * 8,
        "a" * 1001, "***=a", "[b-a]",
    ],
)  # fmt: skip
def test_what_is_not_in_the_language(source: str) -> None:
    with pytest.raises(BadPattern):
        read_pattern(source)
