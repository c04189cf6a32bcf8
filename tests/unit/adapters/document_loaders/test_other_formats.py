"""The loaders of questions, tables, presentations and mails."""

from __future__ import annotations

import io
from email.message import EmailMessage
from typing import Any

import pytest

from shoald.adapters.document_loaders import eml, pptx, qa, table
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.reading import UnusableFile
from support.office_files import archive, mail, slides, word_file

FAQ = "About this.\nQ: What is Q: here?\nA: A sign.\nTwo lines.\n\nQ: And this?\n  Q: Unanswered\n"


def questions(data: str) -> list[Item]:
    return list(qa.load(io.BytesIO(data.encode()), source="faq.txt", params={}))


def test_a_question_begins_a_line_and_what_comes_before_is_none() -> None:
    assert [item.content for item in questions(FAQ)] == [
        "About this.",
        "Q: What is Q: here?\nA: A sign.\nTwo lines.",
        "Q: And this?",
        "Q: Unanswered",
    ]


def test_a_question_has_its_answer_and_its_place() -> None:
    preamble, first, second, _ = questions(FAQ)
    assert preamble.metadata == {"source": "faq.txt", "char_start": 0, "char_end": 11}
    assert first.metadata == {
        "source": "faq.txt",
        "type": "qa",
        "question": "What is Q: here?",
        "answer": "A sign.\nTwo lines.",
        "char_start": 12,
        "char_end": 53,
    }
    assert FAQ[12:53] == first.content
    assert second.metadata["answer"] == ""


def test_a_file_without_questions_is_refused_unless_it_is_empty() -> None:
    assert questions(" \n") == []
    with pytest.raises(UnusableFile, match="no line begins with 'Q:'"):
        questions("just text, Q: not at the start")


GOODS = "id;kind;note\n007;fruit;a, b\n008;boat;\n009;fruit;x;more\n"


def rows(data: str = GOODS, **params: Any) -> list[Item]:
    return list(table.load(io.BytesIO(data.encode()), source="t.csv", params=params))


def test_each_row_is_a_segment() -> None:
    first, second, third = rows()
    assert first.content == "id: 007\nkind: fruit\nnote: a, b"
    assert second.content == "id: 008\nkind: boat\nnote: "
    assert third.content == "id: 009\nkind: fruit\nnote: x\ncolumn 4: more"
    assert [item.metadata["row"] for item in (first, second, third)] == [1, 2, 3]
    assert GOODS[first.metadata["char_start"] : first.metadata["char_end"]] == "007;fruit;a, b\n"


def test_rows_are_grouped_by_a_column() -> None:
    fruit, boat = rows(mode="GROUP", group_by="kind")
    assert fruit.content == (
        "Group: kind = fruit\nid: 007, kind: fruit, note: a, b\nid: 009, kind: fruit, note: x, column 4: more"
    )
    assert fruit.metadata == {"group_key": "fruit", "source": "t.csv", "row_count": 2, "row_start": 1, "row_end": 3}
    assert boat.metadata["group_key"] == "boat"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"mode": "column"}, "mode must be one of row, group; it is 'column'"),
        ({"mode": "group"}, "group_by is needed for the mode group"),
        ({"mode": "group", "group_by": "colour"}, "'colour' is none of: id, kind, note"),
        ({"group_by": 3}, "group_by must be a text"),
        ({"delimiter": ","}, "delimiter does not apply here; known: mode, group_by"),
    ],
)
def test_bad_parameters_of_a_table_are_named(params: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        rows(**params)


def test_an_empty_table_has_no_segments() -> None:
    assert rows("") == rows("a;b\n") == []


def test_each_slide_is_a_section() -> None:
    found = list(pptx.load(io.BytesIO(slides()), source="x.pptx", params={}))
    assert [(item.type, item.content, item.metadata["slide"], item.parent) for item in found] == [
        ("text", "Hello\nLine 1\n  - Line 2", 1, None),
        ("table", "| a | b\\|c |\n| --- | --- |\n| 1 |  |", 1, 0),
        ("image", "a red dot", 1, 0),
        ("text", "Say this", 1, 0),
        ("text", "No title here", 2, None),
    ]
    assert (found[0].metadata["title"], found[3].metadata["part"]) == ("Hello", "notes")
    assert found[2].picture is not None


@pytest.mark.parametrize("data", [word_file(lambda _: None), archive({"a": b"b"}), b"%PDF-1.4"])
def test_other_files_are_no_presentations(data: bytes) -> None:
    with pytest.raises(UnusableFile, match="no PPTX file"):
        list(pptx.load(io.BytesIO(data), source="x", params={}))


def mails(data: bytes) -> list[Item]:
    return list(eml.load(io.BytesIO(data), source="x.eml", params={}))


def test_a_mail_is_its_head_and_text_and_what_is_attached() -> None:
    found = mails(mail())
    head = "From: Ann <a@example.org>\nTo: b@example.org\nDate: Mon, 01 Jan 2024 10:00:00 +0000\nSubject: Grüße"
    assert [(item.type, item.content, item.parent) for item in found] == [
        ("text", f"{head}\n\nPlain é text", None),
        ("image", "dot.png", 0),
        ("text", "a note", 0),
        ("other", "x.pdf", 0),
        ("text", "From: c@example.org\nSubject: inner\n\nHead\nin it", 0),
    ]
    assert found[0].metadata["subject"] == found[1].metadata["subject"] == "Grüße"
    assert found[1].picture is not None
    assert "upload it by itself" in found[3].metadata["warning"]


def test_a_mail_of_html_alone_is_read() -> None:
    message = EmailMessage()
    message["From"] = "a@example.org"
    message.set_content("<p>Hello <b>you</b></p><table><tr><td>a<tr><td>b</table>", subtype="html")
    assert mails(message.as_bytes())[0].content == "From: a@example.org\n\nHello you\n| a |\n| --- |\n| b |"


@pytest.mark.parametrize(
    ("data", "words"), [(b"just words", "it has no mail's head"), (b"%PDF-1.4 x", "it is a PDF file")]
)
def test_what_is_no_mail_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        mails(data)


def test_a_mail_with_an_encoding_that_does_not_exist_is_read() -> None:
    data = b"From: a@example.org\nContent-Type: text/plain; charset=klingon\n\nna\xc3\xafve"
    assert mails(data)[0].content.endswith("naïve")
