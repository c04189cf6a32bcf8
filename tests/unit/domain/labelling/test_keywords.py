"""Names of groups."""

from __future__ import annotations

import random
import weakref
from collections.abc import Iterator

from shoald.cli.demo_corpus import standard_library_texts
from shoald.domain.labelling.group_terms import counted
from shoald.domain.labelling.keywords import KEYWORDS, TERMS_OF_A_NAME, name_groups


def _among_others(*texts: str) -> list[list[str]]:
    """Return a group of texts with three others beside it."""
    return [
        list(texts),
        ["Open a socket and return it", "Return the peer of the socket", "Close a socket", "Shut the socket down"],
        ["Bake the bread", "Slice the bread and eat", "Knead bread dough", "Rye bread is dark"],
        ["Plant an apple tree", "Trees lose their leaves", "A tree in the garden", "The oldest tree of the wood"],
    ]


def test_a_group_is_named_after_what_sets_it_apart() -> None:
    names = name_groups(_among_others("Return the current date", "Format the date and time", "Parse a date", "Dates"))
    assert names[0].keywords[0] == "date"
    assert names[1].label.startswith("Socket")
    assert names[2].keywords[0] == "bread"


def test_no_more_than_three_terms_in_a_name_and_none_short_or_empty_of_meaning() -> None:
    (name,) = name_groups([["the a of it apple banana cherry damson elder fig grape hazel iris x1 up 42"]])
    assert name.label == "Apple, banana, cherry"
    assert len(name.keywords) == KEYWORDS
    assert not {"the", "of", "x1", "42"} & set(name.keywords)


def test_a_phrase_takes_the_place_of_its_words() -> None:
    texts = ["neural network training", "a neural network", "Neural network layers", "deep neural networks"]
    name = name_groups(_among_others(*texts))[0]
    assert name.label.startswith("Neural network")
    assert "network" not in name.keywords[1:]


def test_a_phrase_of_three_words_may_hold_a_small_one_within() -> None:
    texts = ["bill of lading", "a bill of lading", "the Bill of Lading", "bills of lading are signed"]
    assert name_groups(_among_others(*texts))[0].keywords[0] == "bill of lading"


def test_no_name_repeats_a_stem() -> None:
    texts = ["logging a log record", "the logger logs", "logged by the logging logger", "a logger handler log"]
    name = name_groups(_among_others(*texts))[0]
    assert sum(one.startswith("log") for one in name.keywords) == 1
    (only,) = name_groups([["element elements node", "element", "elements"]])
    assert only.keywords in {("element", "node"), ("elements", "node")}


def test_terms_are_written_as_most_texts_write_them() -> None:
    texts = [
        "We use JSON here",
        "the JSON file",
        "Return json or JSON",
        "Files in Berlin and JSON",
        "to Berlin",
        "in Berlin",
    ]
    name = name_groups(_among_others(*texts))[0]
    assert name.label.startswith("JSON")
    assert "Berlin" in name.keywords
    assert "berlin" not in name.keywords


def test_a_capital_at_the_beginning_of_a_sentence_is_no_habit() -> None:
    texts = ["Folders open", "a file of folders", "Folders. Folders", "many folders here"]
    assert name_groups(_among_others(*texts))[0].keywords[0] == "folders"


def test_a_rare_word_does_not_name_a_large_group() -> None:
    texts = [f"socket oddity{chr(97 + n % 26) * 3}" for n in range(40)]
    (name,) = name_groups([[*texts, "socket zebra"]])
    assert name.keywords == ("socket",)


def test_what_is_as_frequent_everywhere_names_nothing_in_any_language() -> None:
    topics = ("Bäume wachsen", "Brote backen", "Straßen bauen", "Lieder singen")
    groups = [[f"wir sehen, dass {topic} und nicht {n}" for n in range(5)] for topic in topics]
    for topic, name in zip(topics, name_groups(groups), strict=True):
        assert name.label == topic
        assert not {"wir", "dass", "und", "nicht"} & set(name.keywords)


def test_languages_without_blanks_and_with_signs_above_letters_have_names() -> None:
    chinese = ["机器学习的方法", "关于机器学习", "机器学习模型", "学习机器学习"]
    hindi = ["हिन्दी में पुस्तकें", "हिन्दी पुस्तकें यहाँ", "नई पुस्तकें", "पुरानी पुस्तकें"]
    names = name_groups([chinese, hindi, *_among_others("a", "b")[1:]])
    assert names[0].label == "机器学习"
    assert names[1].keywords[0] == "पुस्तकें"


def test_a_group_without_words_is_numbered() -> None:
    names = name_groups([["alpha"], ["1 2 3"], []])
    assert [(name.label, name.keywords, name.summary) for name in names[1:]] == [
        ("Group 1", (), None),
        ("Group 2", (), None),
    ]


def test_groups_of_one_name_are_told_apart_by_letters_and_numbers() -> None:
    names = name_groups([["grade C", "the grade C"], ["grade 1", "grade 1 or a"], ["grade"], ["grade"], ["socket"]])
    assert [name.label for name in names] == ["Grade, c", "Grade 1", "Grade", "Grade (2)", "Socket"]


def test_what_all_groups_of_one_name_have_sets_none_apart() -> None:
    names = name_groups([["a grade", "a grade"], ["a grade", "grade 1", "grade 2"]])
    assert [name.label for name in names] == ["Grade, a", "Grade"]


def test_groups_of_one_name_are_told_apart_by_a_term_before_a_number() -> None:
    shared = ["loan payment bank", "bank loan payment", "payment of the bank loan", "loan and bank and payment"]
    groups = [[*shared, f"loan {own}", f"{own} loan bank payment"] for own in ("student", "mortgage")]
    labels = [name.label for name in name_groups([*groups, *_among_others()[1:]])]
    assert "student" in labels[0].lower()
    assert "mortgage" in labels[1].lower()
    assert len(set(labels)) == len(labels)


def test_no_two_labels_are_the_same_even_when_a_number_is_part_of_one() -> None:
    labels = [name.label.lower() for name in name_groups([["grade"], ["grade"], ["grade (2)"], ["Grade"]])]
    assert len(set(labels)) == 4


def test_no_groups_have_no_names() -> None:
    assert name_groups([]) == []


def test_the_order_of_the_texts_does_not_matter() -> None:
    modules = standard_library_texts()
    groups = [[text["text"] for text in modules[name]] for name in ("datetime", "socket", "logging", "calendar")]
    names = name_groups(groups)
    assert any("date" in one for one in names[0].keywords)
    assert "socket" in names[1].label.lower()
    assert all(len(name.label.split(", ")) <= TERMS_OF_A_NAME for name in names)
    for texts in groups:
        random.Random(3).shuffle(texts)
    assert name_groups(groups) == names


def test_groups_are_forgotten_but_for_their_terms() -> None:
    """Sixty terms of a group are kept when very many groups are expected, whatever its texts hold."""
    chosen = random.Random(1)
    words = [f"{chr(97 + at // 26)}{chr(97 + at % 26)}word" for at in range(400)]
    texts = [" ".join(chosen.choices(words, k=40)) for _ in range(60)]
    assert len(counted(texts, 60).terms) == 60
    assert len(counted(texts, 1_000).terms) > 300
    held: list[weakref.ref[Texts]] = []

    def groups() -> Iterator[Texts]:
        for _ in range(4):
            assert all(one() is None for one in held[:-1]), "only the group that is looked at is held"
            group = Texts(texts)
            held.append(weakref.ref(group))
            yield group

    assert len(name_groups(groups(), expected=100_000)) == 4


class Texts(list[str]):
    """Texts of which somebody may ask whether they are still held."""
