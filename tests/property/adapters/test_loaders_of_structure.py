"""Whatever a file holds: texts are verbatim where they say, parents come first, and nothing is lost."""

from __future__ import annotations

import io
import re

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.adapters.document_loaders import docx, excel, html, markdown, qa, table, text
from shoald.adapters.document_loaders.items import Item
from support.office_files import saved, word_file

LINES = st.sampled_from(
    (
        *(
            "words here",
            "# One",
            "## Two ##",
            "### Deep",
            "```python",
            "```",
            "~~~",
            "| a | b |",
            "|---|---|",
            "| 1 | 2 |",
        ),
        *(
            "===",
            "---",
            "",
            "  indented",
            "- item",
            "![a dog](dog.png)",
            "![x](data:image/gif;base64,R0lGODlh)",
            "Q: why?",
        ),
    )
)
TAGS = st.sampled_from(
    (
        *(
            "<h1>",
            "<h3>",
            "</h1>",
            "<p>",
            "</p>",
            "<ul>",
            "<li>",
            "</ul>",
            "<table>",
            "<tr>",
            "<td>",
            "</table>",
            "<pre>",
        ),
        *("<td colspan=2 rowspan=3>", "</pre>", "<b>", "<img alt=x>", "<script>", "</script>", "one", "two & three"),
        *("<!-- no -->", "<br>", "&amp;"),
    )
)
PAIRS = st.tuples(st.text("abc? ", min_size=1).filter(str.strip), st.text("xyz \n", max_size=20))
files = st.lists(LINES, max_size=25).map("\n".join)
noise = st.text(st.sampled_from("ab #|-`~=!<>&\n\r\t[](){}é\U0001f600\0"), max_size=80)


def check_tree(items: list[Item]) -> None:
    """Each parent is the item before or one above that; a path is no longer than its level."""
    above: list[int] = []
    for position, item in enumerate(items):
        while above and above[-1] != item.parent:
            above.pop()
        assert item.parent is None or above, "a parent is not among those above"
        above.append(position)
        assert len(item.path) <= max(item.level, 0)


def verbatim(item: Item, data: str) -> bool:
    return data[item.metadata["char_start"] : item.metadata["char_end"]].replace("\0", "") == item.content


@settings(max_examples=150, deadline=None)
@given(st.one_of(files, noise))
def test_markdown_is_verbatim_and_whole(data: str) -> None:
    items = list(markdown.sections(data, "x"))
    check_tree(items)
    kept = [item for item in items if item.type != "image"]
    assert all(verbatim(item, data) for item in kept)
    # in order, and what lies between is blank, a fence, or a picture that was in the file itself
    at = 0
    for item in kept:
        between = data[at : item.metadata["char_start"]]
        assert item.metadata["char_start"] >= at
        assert not re.search(r"words here|# One|\| 1 \|", between)
        at = item.metadata["char_end"]


@settings(max_examples=100, deadline=None)
@given(noise)
def test_text_is_verbatim(data: str) -> None:
    if sum(character < " " and character not in "\t\n\r\f\v\0" for character in data) * 20 > len(data):
        return
    items = list(text.load(io.BytesIO(data.encode()), source="x", params={}))
    assert all(verbatim(item, data) for item in items)
    assert "".join(item.content for item in items).strip() == data.replace("\0", "").strip()


@settings(max_examples=150, deadline=None)
@given(st.lists(TAGS, max_size=30))
def test_any_tags_make_a_tree(parts: list[str]) -> None:
    data = " ".join(parts)
    items = list(html.sections(data, "x"))
    check_tree(items)
    for item in items:
        if "char_start" in item.metadata:
            assert 0 <= item.metadata["char_start"] <= item.metadata["char_end"] <= len(data)
    if not set(parts) & {"<script>", "<table>", "<!-- no -->"}:
        found = " ".join(item.content for item in items)
        assert found.count("one") == parts.count("one")


@settings(max_examples=60, deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=6))
def test_questions_and_answers_come_back(pairs: list[tuple[str, str]]) -> None:
    data = "".join(f"Q: {question}\nA: {answer}\n" for question, answer in pairs)
    items = list(qa.load(io.BytesIO(data.encode()), source="x", params={}))
    assert [(item.metadata["question"], item.metadata["answer"]) for item in items] == [
        (question.strip(), answer.strip()) for question, answer in pairs
    ]


CELLS = st.text("ab1. 0|é", max_size=6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=2, max_size=6))
def test_cells_of_a_sheet_come_back_as_they_were_written(rows: list[list[str]]) -> None:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    (first, *_) = header = [cell or "h" for cell in rows[0]]
    for column, name in enumerate(header, 1):
        book.active.cell(1, column, name if name.strip() else "h")
    (item,) = excel.load(io.BytesIO(saved(book)), source="x", params={})
    kept = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    expected = ["| " + " | ".join(cell.strip().replace("|", "\\|") for cell in row) + " |" for row in kept]
    assert first is not None
    assert item.content.split("\n")[2:] == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.text("abc xyz", min_size=1).filter(str.strip)), max_size=8))
def test_paragraphs_of_a_document_come_back_in_order(parts: list[tuple[int, str]]) -> None:
    def write(document: object) -> None:
        for level, words in parts:
            if level:
                document.add_heading(words, level)  # type: ignore[attr-defined]
            else:
                document.add_paragraph(words)  # type: ignore[attr-defined]

    items = list(docx.load(io.BytesIO(word_file(write)), source="x", params={}))
    check_tree(items)
    lines = "\n".join(item.content for item in items).split("\n")
    assert [line.strip() for line in lines if line] == [words.strip() for _, words in parts]
    assert [item.level for item in items if "title" in item.metadata] == [level for level, _ in parts if level]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), st.integers(0, 99)), min_size=1, max_size=12))
def test_groups_hold_every_row_once(rows: list[tuple[str, int]]) -> None:
    data = "key,n\n" + "".join(f"{key},{number}\n" for key, number in rows)
    params = {"mode": "group", "group_by": "key"}
    items = list(table.load(io.BytesIO(data.encode()), source="x", params=params))
    found = [(item.metadata["group_key"], line) for item in items for line in item.content.split("\n")[1:]]
    assert sorted(found) == sorted((key, f"key: {key}, n: {number}") for key, number in rows)
    assert [item.metadata["group_key"] for item in items] == list(dict.fromkeys(key for key, _ in rows))
