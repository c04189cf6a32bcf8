"""Which patterns the engine that goes back is given, and which would take memory or time without bound to read."""

from __future__ import annotations

import pytest

from shoald.domain.backtracking_patterns import MOST_STEPS, UnreadablePattern, read_backtracking


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(?=Section \d)", "Section 1"),
        (r"(\w)\1", "hello"),
        (r"(?i)B(?-i:c)(?#x{9999})", "bc"),
        (r"(?:[)(]{2}[[:alpha:])x]{3}){100}", "()ab)" * 100),
        (r"a{2,99999}(?:b{0,99999}c)*", "aabc"),
        (r"\{9999999\}[{9999999}]{1}", "{9999999}9"),
        (r"(?:\p{Lu}\N{DIGIT ONE}){1000}", "A1" * 1000),
        (r"a{,3}b", "aab"),
        (r"(?(DEFINE)(?P<q>a))b", "b"),
        (f"x{{{MOST_STEPS}}}", "x" * MOST_STEPS),
        ("é{2}", "éé"),
    ],
)
def test_what_is_written_out_in_few_steps_is_read(pattern: str, text: str) -> None:
    assert read_backtracking(pattern).search(text) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "a{99999999}",
        "a{0000000000000000000099999999}",
        "a{" + "9" * 5000 + "}",
        "(?:(?:a{1000}){1000}){1000}",
        "(?:a{1000}){1000}",
        "(?<=b{50000})a",
        "(?:[)]a{1000}[(]){1000}",
        r"(?:[[:alpha:])]a{1000}[[:alpha:](]){1000}",
        "(?:(?#[)a{1000}){1000}(?#])",
        r"(?:\[a{1000}\]){1000}",
        "(?:[]a]b{1000}[^]a]){1000}",
        "(?:" * 30 + "a" + "){2}" * 30,
        "a{1000}" * 11,
        "a{200,}{200}",
        "a(?#x){50000}",
        "(?:a{1000})(?i)(?#x)(?-s){1000}",
    ],
)
def test_what_would_be_written_out_at_length_is_refused_unread(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shoald.domain.backtracking_patterns.regex.compile", None)
    with pytest.raises(UnreadablePattern, match="repeats too much"):
        read_backtracking(pattern)


@pytest.mark.parametrize(
    "pattern", ["(?R)", "((?1))", "(a(?-1)?)", "(a(?+1)?)(b)", "(?P<n>a(?&n)?)", "(?P<n>a(?P>n)?)"]
)
def test_what_calls_itself_is_refused(pattern: str) -> None:
    with pytest.raises(UnreadablePattern, match="calls a group or itself"):
        read_backtracking(pattern)


@pytest.mark.parametrize("pattern", ["(?x)a b", "a(?ix:b c)", "(?-x)a"])
def test_what_may_hide_a_part_in_comments_is_refused(pattern: str) -> None:
    with pytest.raises(UnreadablePattern, match="the flag x"):
        read_backtracking(pattern)


@pytest.mark.parametrize("pattern", ["(", "[a", "(?V1)a", r"\p{zzz}", "(" * 900 + ")" * 900, "a**", ")"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UnreadablePattern, match="is not a regular expression"):
        read_backtracking(pattern)
