"""The DOCX loader: sections by heading, in document order, with tables, lists, notes and pictures."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from shoald.adapters.document_loaders.docx import load
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.reading import UnusableFile
from support.office_files import archive, handbook, png, styled_paragraph, word_file

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def segments(data: bytes, **params: Any) -> list[Item]:
    return list(load(io.BytesIO(data), source="x.docx", params=params))


def body(inner: str) -> bytes:
    """Return a document whose body is this XML."""
    xml = f'<w:document xmlns:w="{WORD}"><w:body>{inner}</w:body></w:document>'
    return archive({"word/document.xml": xml.encode()}, like=word_file(lambda _: None))


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


@pytest.fixture(scope="module")
def book() -> list[Item]:
    return segments(word_file(handbook))


def test_sections_tables_and_pictures_come_in_document_order(book: list[Item]) -> None:
    assert [(item.type, item.content) for item in book] == [
        ("text", "Before anything."),
        ("text", "Fruit\nAbout fruit."),
        ("table", "| name | name | a&#124;b |\n| --- | --- | --- |\n| pear | 007 | in / side |"),
        ("text", "After the table."),
        ("text", "Pears\n- round\n1. first\n2. second\nLook:"),
        ("image", "a red dot"),
        ("text", "Boats\nAbout boats."),
    ]


def test_the_level_is_the_headings_and_the_path_the_titles_above(book: list[Item]) -> None:
    assert [(item.level, item.path) for item in book] == [
        (0, ()),
        (1, ()),
        (1, ()),
        (1, ()),
        (3, ("Fruit",)),
        (3, ("Fruit",)),
        (1, ()),
    ]


def test_parents_are_items_of_the_same_file(book: list[Item]) -> None:
    # text before the first heading is above those of level 1; what is within a section has its first item for a parent
    assert [item.parent for item in book] == [None, 0, 1, 1, 1, 4, 0]


def test_metadata_names_title_section_and_place(book: list[Item]) -> None:
    assert book[1].metadata == {"source": "x.docx", "title": "Fruit", "block_start": 2, "block_end": 3}
    assert book[2].metadata["title"] == "Table"
    assert (book[2].metadata["section"], book[2].metadata["table_index"]) == ("Fruit", 0)
    assert book[2].original_format == "markdown"
    assert book[3].metadata["continued"] is True
    assert "title" not in book[0].metadata


def test_the_bytes_of_a_picture_come_along(book: list[Item]) -> None:
    assert book[5].picture is not None
    assert book[5].picture["mime"] == "image/png"


@pytest.mark.parametrize("name", ["Überschrift 2", "Titre 2", "Заголовок 2", "标题 2"])
def test_headings_are_known_by_translated_names(name: str) -> None:
    first, *_ = segments(word_file(lambda document: styled_paragraph(document, "Kopf", name)))
    assert (first.level, first.metadata.get("title")) == (2, "Kopf")


def test_an_outline_level_makes_a_heading_and_body_level_unmakes_one() -> None:
    (item,) = segments(word_file(lambda document: styled_paragraph(document, "Chapter", "Plain", outline_level=1)))
    assert (item.level, item.metadata["title"]) == (2, "Chapter")
    (item,) = segments(word_file(lambda document: styled_paragraph(document, "No", "Titre 1", outline_level=9)))
    assert (item.level, "title" in item.metadata) == (0, False)


def test_deleted_text_is_left_out_and_inserted_text_is_there() -> None:
    changed = (
        "<w:p><w:r><w:t>a</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t>b</w:t><w:tab/><w:t>c</w:t></w:r></w:ins></w:p>"
    )
    (item,) = segments(body(changed))
    assert item.content == "ab\tc"


def test_content_controls_and_hyperlinks_are_read() -> None:
    link = "<w:p><w:hyperlink><w:r><w:t>link</w:t></w:r></w:hyperlink></w:p>"
    (item,) = segments(body(f"<w:sdt><w:sdtContent>{paragraph('held')}</w:sdtContent></w:sdt>{link}"))
    assert item.content == "held\nlink"


def test_footnotes_follow_their_paragraph() -> None:
    plain = word_file(lambda document: document.add_paragraph("x"))
    note = '<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id="2"/></w:r></w:p>'
    relation = (
        '<Relationship Id="n1" Target="footnotes.xml" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/footnotes"/></Relationships>'
    )
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        relations = package.read("word/_rels/document.xml.rels").decode().replace("</Relationships>", relation)
    parts = {
        "word/_rels/document.xml.rels": relations,
        "word/footnotes.xml": f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="2">{paragraph("Below")}</w:footnote>'
        "</w:footnotes>",
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{note}{paragraph("Next")}</w:body></w:document>',
    }
    (item,) = segments(archive({name: text.encode() for name, text in parts.items()}, like=plain))
    assert item.content == "Text[^2]\n[^2]: Below\nNext"


def test_cells_that_are_merged_downwards_keep_their_text() -> None:
    def fill(document: Any) -> None:
        table = document.add_table(3, 2)
        table.cell(0, 0).text, table.cell(0, 1).text = "h", "v"
        table.cell(1, 0).merge(table.cell(2, 0)).text = "both"
        table.cell(1, 1).text, table.cell(2, 1).text = "1", "2"

    (item,) = segments(word_file(fill))
    assert item.content.split("\n")[2:] == ["| both | 1 |", "| both | 2 |"]


def chapters(document: Any) -> None:
    for line in ("Intro", "Chapter 1: Sea\nblue", "waves", "Part A", "deep", "Chapter 2: Land", "Appendix 3: not", "x"):
        document.add_paragraph(line)


CHAPTER = {"level": 1, "pattern": r"^(?:Chapter|Appendix) \d+: (.*)"}


@pytest.mark.parametrize(
    "patterns",
    [
        [CHAPTER, {"level": 2, "pattern": ["^Part", "^Section"]}],
        [[1, CHAPTER["pattern"]], [2, "^Part"]],
        [CHAPTER["pattern"], "^Part"],
    ],
)
def test_patterns_make_headings(patterns: list[Any]) -> None:
    found = segments(word_file(chapters), regex_patterns=patterns, include_parent_content=False)
    assert [(item.level, item.metadata.get("title"), item.content, item.path, item.parent) for item in found] == [
        (0, None, "Intro", (), None),
        (1, "Sea", "Chapter 1: Sea\nblue\nwaves", (), 0),
        (2, "A", "Part A\ndeep", ("Sea",), 1),
        (1, "Land", "Chapter 2: Land", (), 0),
        (1, "not", "Appendix 3: not\nx", (), 0),
    ]


def test_lines_that_are_excluded_are_no_headings() -> None:
    found = segments(word_file(chapters), regex_patterns=[CHAPTER], exclude_patterns=["^Appendix"])
    assert [item.metadata.get("title") for item in found] == [None, "Sea", "Land"]
    found = segments(word_file(handbook), exclude_patterns="Pears")
    assert [item.metadata.get("title") for item in found if item.type == "text"] == [None, "Fruit", "Fruit", "Boats"]


def test_the_text_above_comes_first_by_default() -> None:
    found = segments(word_file(chapters), regex_patterns=[CHAPTER, {"level": 2, "pattern": "^Part"}])
    assert found[2].content == "Intro\nChapter 1: Sea\nblue\nwaves\nPart A\ndeep"
    assert found[3].content == "Intro\nChapter 2: Land"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"regex_patterns": "^a"}, "regex_patterns must be a list"),
        ({"regex_patterns": [{"level": 0, "pattern": "a"}]}, r"regex_patterns\[0\]: the level must be"),
        ({"regex_patterns": [{"level": 1}]}, r"regex_patterns\[0\] is of another form"),
        ({"regex_patterns": [[1, "("]]}, r"regex_patterns\[0\] is no regular expression"),
        ({"exclude_patterns": {}}, "exclude_patterns must be a list"),
        ({"exclude_patterns": ["["]}, r"exclude_patterns\[0\] is no regular expression"),
        ({"include_parent_content": "yes"}, "include_parent_content must be true or false"),
        ({"chunk_size": 3}, "chunk_size does not apply here; known: regex_patterns"),
    ],
)
def test_bad_parameters_are_named(params: dict[str, Any], words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        segments(word_file(chapters), **params)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{\\rtf1 hello}", "it is RTF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "protected by a password"),
        (b"%PDF-1.4", "it is a PDF file"),
        (b"Hello", "damaged or something else"),
        (archive({"a.txt": b"x"}), "no part 'word/document.xml'"),
        (archive({"word/document.xml": b"<w:broken"}), "no valid XML"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        segments(data)


def test_pictures_without_bytes_keep_their_words() -> None:
    def fill(document: Any) -> None:
        document.add_paragraph().add_run().add_picture(io.BytesIO(png()))
        document.inline_shapes[0]._inline.docPr.set("descr", "lost")

    whole = word_file(fill)
    (item,) = segments(archive({"word/media/image1.png": b"<svg/>"}, like=whole))
    assert (item.type, item.content, item.picture) == ("image", "lost", None)
