"""Names of groups."""

from __future__ import annotations

import random

from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.labelling.keywords import name_groups


def test_a_group_is_named_after_what_sets_it_apart() -> None:
    names = name_groups(
        [
            ["Return the current date", "Format the date and time", "Parse a date"],
            ["Open a socket and return it", "Return the peer of the socket", "Close a socket"],
        ]
    )
    assert names[0].keywords[0] == "date"
    assert names[1].keywords[0] == "socket"
    assert names[0].label == ", ".join(names[0].keywords)


def test_no_more_than_five_words_and_none_short_or_empty_of_meaning() -> None:
    (name,) = name_groups([["the a of it apple banana cherry damson elder fig grape x1 up 42"]])
    assert name.keywords == ("apple", "banana", "cherry", "damson", "elder")


def test_a_plural_does_not_repeat_its_word() -> None:
    (name,) = name_groups([["element elements node", "element", "elements"]])
    assert name.keywords in {("element", "node"), ("elements", "node")}


def test_a_rare_word_does_not_name_a_large_group() -> None:
    texts = [f"socket oddity{chr(97 + n % 26) * 3}" for n in range(40)]
    (name,) = name_groups([[*texts, "socket zebra"]])
    assert name.keywords == ("socket",)


def test_a_group_without_words_is_numbered() -> None:
    names = name_groups([["alpha"], ["1 2 3"], []])
    assert [(name.label, name.keywords) for name in names[1:]] == [("Group 1", ()), ("Group 2", ())]


def test_groups_of_one_name_are_told_apart_by_letters_and_numbers() -> None:
    names = name_groups([["grade C", "the grade C"], ["grade 1", "grade 1 or a"], ["grade"], ["grade"], ["socket"]])
    assert [name.label for name in names] == ["grade, c", "grade, 1", "grade", "grade (2)", "socket"]
    assert [name.keywords for name in names[:3]] == [("grade", "c"), ("grade", "1"), ("grade",)]


def test_what_all_groups_of_one_name_have_sets_none_apart() -> None:
    names = name_groups([["a grade", "a grade"], ["a grade", "grade 1", "grade 2"]])
    assert [name.label for name in names] == ["grade, a", "grade"]


def test_no_groups_have_no_names() -> None:
    assert name_groups([]) == []


def test_the_order_of_the_texts_does_not_matter() -> None:
    modules = standard_library_texts()
    groups = [[text["text"] for text in modules[name]] for name in ("datetime", "socket", "logging", "calendar")]
    names = name_groups(groups)
    assert "datetime" in names[0].keywords or "date" in names[0].keywords
    assert "socket" in names[1].keywords
    for texts in groups:
        random.Random(3).shuffle(texts)
    assert name_groups(groups) == names
