"""The PDF loader: text and tables by page, and a word about pages that have none."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pypdfium2 import PdfDocument
from reportlab.pdfgen import canvas

from shoald.adapters.document_loaders import pdf_tables
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.pdf import load
from shoald.adapters.document_loaders.pdf_lines import has_grid
from shoald.adapters.document_loaders.reading import UnusableFile
from support.office_files import jpeg, plain_pdf, report


def segments(data: bytes, **params: Any) -> list[Item]:
    return list(load(io.BytesIO(data), source="x.pdf", params=params))


@pytest.fixture(scope="module")
def pages() -> bytes:
    return report()


@pytest.mark.parametrize("backend", ["pdfium", "pdfplumber", "PDFium"])
def test_each_page_is_a_text_and_its_tables(pages: bytes, backend: str) -> None:
    first, table, second, scan = segments(pages, backend=backend)
    assert first.content.split() == ["Grüße", "from", "page", "one.", "Below", "it."]
    assert table.content == "| Name | Price |\n| --- | --- |\n| Pear \\| red | 1.10 |\n| Apple | 007 |"
    assert table.metadata == {"source": "x.pdf", "page": 1, "table_index": 0, "row_count": 2}
    assert (table.type, table.original_format) == ("table", "markdown")
    assert (second.content, second.metadata) == ("Second page", {"source": "x.pdf", "page": 2})
    assert (scan.type, scan.content, scan.metadata["page"]) == ("image", "", 3)


def test_a_scanned_page_is_reported_and_its_picture_kept(pages: bytes) -> None:
    scan = segments(pages)[-1]
    assert scan.metadata["warning"].startswith("this page is a picture without text")
    assert (scan.metadata["width"], scan.metadata["height"]) == (64, 48)
    assert scan.picture is not None


def test_a_page_with_nothing_on_it_is_reported() -> None:
    first, second = segments(plain_pdf(["", "words"]))
    assert (first.type, first.content, first.metadata["warning"]) == ("other", "", "this page has no text")
    assert second.content == "words"


def test_a_picture_that_is_on_every_page_is_kept_once() -> None:
    from reportlab.lib.utils import ImageReader

    out = io.BytesIO()
    page = canvas.Canvas(out)
    for number in range(3):
        page.drawImage(ImageReader(io.BytesIO(jpeg())), 10, 10)
        page.drawString(100, 700, f"page {number}")
        page.showPage()
    page.save()
    assert [item.type for item in segments(out.getvalue())] == ["text", "image", "text", "text"]


def test_a_frame_around_text_is_no_table() -> None:
    out = io.BytesIO()
    page = canvas.Canvas(out)
    page.rect(50, 650, 300, 100)
    page.rect(45, 645, 310, 110)
    page.drawString(100, 700, "in a frame")
    page.save()
    assert [(item.type, item.content) for item in segments(out.getvalue())] == [("text", "in a frame")]


def test_pages_stand_under_the_bookmarks_of_the_file() -> None:
    out = io.BytesIO()
    page = canvas.Canvas(out)
    for number, marks in enumerate([[], [("One", 0), ("Deep", 1)], [], [("Two", 0)]]):
        for title, level in marks:
            page.bookmarkPage(title)
            page.addOutlineEntry(title, title, level)
        page.drawString(100, 700, f"page {number}")
        page.showPage()
    page.save()
    found = segments(out.getvalue())
    assert [(item.level, item.path) for item in found] == [
        (0, ()),
        (2, ("One", "Deep")),
        (2, ("One", "Deep")),
        (1, ("Two",)),
    ]


def test_words_that_are_parted_at_a_line_end_are_put_together() -> None:
    (item,) = segments(plain_pdf(["This is an exam-\nple of it\n- a\n- b"]))
    assert item.content == "This is an example of it\n- a\n- b"


def test_rules_around_a_page_are_not_taken_for_a_table() -> None:
    out = io.BytesIO()
    page = canvas.Canvas(out)
    page.line(50, 800, 500, 800)
    page.line(50, 60, 500, 60)
    page.rect(50, 500, 300, 100)
    page.save()
    assert not has_grid(PdfDocument(out.getvalue())[0])
    assert has_grid(PdfDocument(report())[0])


PROSE = "the keeper of the lighthouse wrote down every ship that he saw pass by the long reef on that winter night"


def ruled(lines: list[tuple[float, list[tuple[float, str]]]], rules: list[float], *, right: float = 500) -> bytes:
    """Return a page of texts, each line at a height with its texts by their left ends, and rules across at heights."""
    out = io.BytesIO()
    page = canvas.Canvas(out)
    page.setFont("Helvetica", 10)
    for height in rules:
        page.line(50, height, right, height)
    for height, texts in lines:
        for left, text in texts:
            page.drawString(left, height, text)
    page.save()
    return out.getvalue()


FRUIT: list[tuple[float, list[tuple[float, str]]]] = [
    (685, [(55, "Fruit"), (200, "Price per kg"), (400, "In stock")]),
    (665, [(55, "Pear"), (200, "1.10"), (400, "007")]),
    (650, [(55, "Apple, red"), (200, "from 2.00"), (400, "12")]),
    (637, [(200, "to 3.00")]),
    (620, [(55, "Plum"), (400, "3")]),
]
FRUIT_SHOWN = (
    "| Fruit | Price per kg | In stock |\n| --- | --- | --- |\n| Pear | 1.10 | 007 |\n"
    "| Apple, red | from 2.00 to 3.00 | 12 |\n| Plum |  | 3 |"
)


def test_a_table_with_rules_across_only_is_found() -> None:
    lines = [(730.0, [(50.0, "Before it.")]), *FRUIT, (590.0, [(50.0, "Behind it.")])]
    text, table = segments(ruled(lines, [700, 680, 612]))
    assert text.content.split() == ["Before", "it.", "Behind", "it."]
    assert (table.type, table.content) == ("table", FRUIT_SHOWN)


def test_two_such_tables_with_prose_between_are_two() -> None:
    below = [(height - 200, texts) for height, texts in FRUIT]
    page = ruled([*FRUIT, (560, [(50, PROSE[:88])]), *below], [700, 680, 612, 500, 480, 412])
    text, *tables = segments(page)
    assert text.content == PROSE[:88].strip()
    assert [table.content for table in tables] == [FRUIT_SHOWN, FRUIT_SHOWN]


@pytest.mark.parametrize(
    "lines",
    [
        [(height, [(50, PROSE[:90])]) for height in range(690, 620, -12)],
        [(height, [(50, PROSE[:40]), (290, PROSE[40:80])]) for height in range(690, 620, -12)],
        [(690, [(50, "Chapter one")]), (650, [(50, "It was a dark night.")]), (630, [(50, "Nothing stirred.")])],
        [(690, [(50, "Name:"), (300, "Date:")])],
    ],
)
def test_prose_between_rules_is_no_table(lines: list[tuple[float, list[tuple[float, str]]]]) -> None:
    assert [item.type for item in segments(ruled(lines, [700, 680, 610]))] == ["text"]


def test_tables_are_given_up_before_they_take_all_time(pages: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_tables, "MOST_SECONDS", -1.0)
    first, *_ = segments(pages, backend="pdfplumber")
    assert "Apple" in first.content
    assert first.metadata["warning"] == pdf_tables.TOO_LONG


def test_an_unknown_backend_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UnusableFile, match="backend must be one of pdfium, pdfplumber, poppler; it is 'papyrus'"):
        segments(plain_pdf(["x"]), backend="papyrus")


def test_the_usual_backend_of_other_servers_is_the_usual_one_here(pages: bytes) -> None:
    assert segments(pages, backend="Poppler") == segments(pages)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (plain_pdf(["secret"], password="pass"), "protected by a password"),
        (b"%PDF-1.4\nnothing more", "damaged"),
        (b"", "no PDF file"),
        (b"PK\x03\x04", "it is a ZIP archive"),
        (b"{\\rtf1}", "it is RTF"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        segments(data)


def test_a_file_that_was_cut_off_gives_what_is_there_or_a_clear_refusal(pages: bytes) -> None:
    for length in range(100, len(pages), len(pages) // 7):
        try:
            segments(pages[:length])
        except UnusableFile as refusal:
            assert "damaged" in str(refusal)  # noqa: PT017 - either end is fine
