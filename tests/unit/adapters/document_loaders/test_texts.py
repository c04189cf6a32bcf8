"""The loaders of text, Markdown and HTML: verbatim pieces where they stand in the file."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import pytest

from shoald.adapters.document_loaders import html, markdown, text
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.reading import UnusableFile
from support.office_files import png


def loaded(load: Callable[..., Any], data: str | bytes) -> list[Item]:
    file = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return list(load(file, source="x", params={}))


def place(item: Item) -> slice:
    return slice(item.metadata["char_start"], item.metadata["char_end"])


def test_a_text_is_one_segment_as_it_is() -> None:
    data = "First line\r\n\r\n  second  \n"
    (item,) = loaded(text.load, data)
    assert (item.content, item.type, item.original_format) == (data, "text", "text")
    assert item.metadata == {"source": "x", "char_start": 0, "char_end": len(data)}


@pytest.mark.parametrize("blank", ["", "  \n\n "])
def test_a_blank_text_has_no_segments(blank: str) -> None:
    assert loaded(text.load, blank) == []


def test_a_long_text_is_cut_at_blank_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "PIECE_CHARACTERS", 100)
    data = "".join(f"Paragraph {number} has a few words.\n\n" for number in range(20))
    pieces = loaded(text.load, data)
    assert "".join(piece.content for piece in pieces) == data
    assert all(len(piece.content) <= 100 and piece.content.endswith("\n\n") for piece in pieces)
    assert [data[place(piece)] for piece in pieces] == [piece.content for piece in pieces]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{\\rtf1\\ansi hello}", "it is RTF"),
        (b"%PDF-1.7 ...", "it is a PDF file"),
        (b"PK\x03\x04....", "ZIP archive"),
        (png(), "a picture"),
        (bytes(range(32)) * 50, "does not look like text"),
    ],
)
@pytest.mark.parametrize("load", [text.load, markdown.load, html.load])
def test_what_is_not_text_is_refused_in_words(load: Callable[..., Any], data: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        loaded(load, data)


@pytest.mark.parametrize("load", [text.load, markdown.load, html.load])
def test_parameters_are_refused(load: Callable[..., Any]) -> None:
    with pytest.raises(UnusableFile, match="chunk_size does not apply here; known: none"):
        list(load(io.BytesIO(b"x"), source="x", params={"chunk_size": 1}))


README = """---
title: front
---
Intro with ![a dog](dog.png "Rex") in it.

# One
Body | no table

```python title="x"
# not a heading
a = 1
```
After code.

### Deep ###
| a | b |
|---|:-:|
| 1 | 2 |

More.

Setext
------
1. item
   ~~~
   in a list
   ~~~
"""


def test_markdown_is_parted_at_headings_tables_and_fences() -> None:
    found = loaded(markdown.load, README)
    assert [(item.type, item.level, item.path, item.parent) for item in found] == [
        ("text", 0, (), None),
        ("image", 0, (), 0),
        ("text", 1, (), 0),
        ("code", 1, (), 2),
        ("text", 1, (), 2),
        ("text", 3, ("One",), 2),
        ("table", 3, ("One",), 5),
        ("text", 3, ("One",), 5),
        ("text", 2, ("One",), 2),
        ("code", 2, ("One",), 8),
    ]
    assert [item.metadata.get("title") for item in found if item.type == "text"] == [
        *(None, "One", "One", "Deep", "Deep", "Setext")
    ]


def test_markdown_is_verbatim_at_its_place() -> None:
    for item in loaded(markdown.load, README):
        if item.type != "image":
            assert README[place(item)] == item.content
    code = next(item for item in loaded(markdown.load, README) if item.type == "code")
    assert (code.content, code.metadata["language"]) == ("# not a heading\na = 1", "python")


def test_the_words_of_a_markdown_picture_are_its_content() -> None:
    picture = loaded(markdown.load, README)[1]
    assert (picture.content, picture.metadata["url"]) == ("a dog", "dog.png")
    assert README[place(picture)] == '![a dog](dog.png "Rex")'


def test_a_picture_within_the_markdown_is_kept_and_its_letters_are_no_text() -> None:
    data = base64.b64encode(png()).decode()
    before, picture, after = loaded(markdown.load, f"See ![dot](data:image/png;base64,{data}) here.\n")
    assert (before.content, after.content.strip()) == ("See", "here.")
    assert picture.picture == {"mime": "image/png", "data": data}


def test_an_open_fence_ends_with_the_file() -> None:
    (item,) = loaded(markdown.load, "```\nno end\n")
    assert (item.type, item.content) == ("code", "no end")


PAGE = """<!doctype html><html><head><title>Tab</title><style>p {}</style></head><body>
<p>Intro <b>bold</b> &amp; more.</p><script>var no = "<p>no</p>";</script>
<h1>One <i>x</i></h1><p>Para<br>two
lines</p><ul><li>a<li>b<ol><li>n</ol></ul>
<img src="dog.png" alt="A  dog">
<table><caption>Cap</caption><tr><th rowspan=2>a</th><th colspan=2>b|c</th></tr><tr><td>1</td><td>2<p>x</td></tr>
<tr><td>q<td><table><tr><td>n1<td>n2</table></table>
<p>After</p><pre><code class="language-Python">def f():
    return "&lt;"
</code></pre><h3>Deep</h3>text<h2>Two</h2>end"""


def test_html_is_parted_at_headings_tables_and_code() -> None:
    assert [(item.type, item.content, item.level, item.path, item.parent) for item in loaded(html.load, PAGE)] == [
        ("text", "Intro bold & more.", 0, (), None),
        ("text", "One x\nPara\ntwo lines\n- a\n- b\n  1. n", 1, (), 0),
        ("image", "A dog", 1, (), 1),
        ("table", "| a | b\\|c | b\\|c |\n| --- | --- | --- |\n| a | 1 | 2<br>x |\n| q | n1 / n2 |  |", 1, (), 1),
        ("text", "After", 1, (), 1),
        ("code", 'def f():\n    return "<"', 1, (), 1),
        ("text", "Deep\ntext", 3, ("One x",), 1),
        ("text", "Two\nend", 2, ("One x",), 1),
    ]


def test_html_says_where_its_pieces_stand() -> None:
    found = loaded(html.load, PAGE)
    assert PAGE[place(found[0])] == "Intro <b>bold</b> &amp; more."
    assert PAGE[place(found[2])] == '<img src="dog.png" alt="A  dog">'
    assert PAGE[place(found[3])].startswith("<table><caption>")
    assert (found[3].metadata["title"], found[5].metadata["language"]) == ("Cap", "python")


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<ol><li><p>one</p><p>more</p></li><li>\n <div>two</div></li></ol>", "1. one\nmore\n2. two"),
        ("<ul><li><ul><li>deep</ul><li></ul>after", "  - deep\nafter"),
        ("<dl><dt>word<dd>meaning</dl>", "word\nmeaning"),
    ],
)
def test_a_mark_stands_before_the_words_of_its_item(page: str, text: str) -> None:
    assert [item.content for item in loaded(html.load, page)] == [text]


def test_the_encoding_that_a_page_declares_is_taken() -> None:
    page = '<meta charset="iso-8859-2"><p>Łódź'
    assert [item.content for item in loaded(html.load, page.encode("iso-8859-2"))] == ["Łódź"]


def test_a_page_that_is_badly_nested_is_read_all_the_same() -> None:
    found = loaded(html.load, "<div>" * 5000 + "<p>deep</b></table><td>x<h1>T" + "</span>" * 5000)
    assert [item.content for item in found] == ["deepx", "T"]
