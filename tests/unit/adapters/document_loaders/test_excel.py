"""The Excel loader: a table per sheet, with numbers and dates as people see them."""

from __future__ import annotations

import datetime as dt
import io
import zipfile

import openpyxl
import pytest

from shoald.adapters.document_loaders import excel, sheet_formats
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.number_formats import shown
from shoald.adapters.document_loaders.reading import UnusableFile
from support.office_files import archive, price_list, saved, word_file


def segments(data: bytes) -> list[Item]:
    return list(excel.load(io.BytesIO(data), source="x.xlsx", params={}))


def test_each_sheet_is_a_table_as_people_see_it() -> None:
    prices, hidden = segments(price_list())
    assert prices.content.split("\n") == [
        "| name | price | share | day | ok |",
        "| --- | --- | --- | --- | --- |",
        "| a\\|b | 1,234.50 € | 12.5% | 03.02.2024 | TRUE |",
        "| 007 | 5 | (3) | 2024-02-03 14:05:00 |  |",
        "| merged | merged |  | 9:30:00 | FALSE |",
    ]
    assert hidden.content == "| h |\n| --- |\n| 1 |"
    assert (prices.type, prices.original_format) == ("table", "markdown")


def test_a_sheet_says_where_its_rows_stand() -> None:
    prices, hidden = segments(price_list())
    assert prices.metadata == {
        "source": "x.xlsx",
        "sheet_name": "Prices",
        "sheet_index": 0,
        "row_count": 3,
        "chunk_index": 0,
        "row_start": 2,
        "row_end": 5,
    }
    assert (hidden.metadata["sheet_name"], hidden.metadata["sheet_index"]) == ("Hidden", 2)


def test_a_long_sheet_is_parted_and_each_part_has_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "ROWS_OF_A_PART", 2)
    book = openpyxl.Workbook()
    for value in ("n", 1, 2, 3, 4, 5):
        book.active.append([value])
    parts = segments(saved(book))
    assert [part.content.split("\n")[2:] for part in parts] == [["| 1 |", "| 2 |"], ["| 3 |", "| 4 |"], ["| 5 |"]]
    assert all(part.content.startswith("| n |\n") for part in parts)
    assert [(part.metadata["row_start"], part.metadata["row_end"]) for part in parts] == [(1, 3), (4, 5), (6, 6)]


def test_a_value_that_is_merged_downwards_is_in_every_row() -> None:
    book = openpyxl.Workbook()
    for row in (["group", "n"], ["a", 1], [None, 2], ["b", 3]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    (item,) = segments(saved(book))
    assert item.content.split("\n")[2:] == ["| a | 1 |", "| a | 2 |", "| b | 3 |"]


def errors_in_cells() -> bytes:
    """Return a workbook with errors: entered, computed, of a cell without a value, and one that is text."""
    book = openpyxl.Workbook()
    for row in (["n", "m"], ["#N/A", "#DIV/0!"], ["#REF!", 2.5], ["text", "#NAME?"]):
        book.active.append(row)
    book.active["B4"].data_type = "s"
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(book))) as made, zipfile.ZipFile(whole, "w") as changed:
        for name in made.namelist():
            content = made.read(name)
            computed = content.replace(b"<v>#REF!</v>", b"<f>Sheet!A1+1</f><v>#REF!</v>")
            changed.writestr(
                name, computed.replace(b"</row></sheetData>", b'</row><row r="5"><c r="A5" t="e"/></row></sheetData>')
            )
    return whole.getvalue()


@pytest.mark.parametrize("block", [7, 40, 1 << 18])
def test_errors_are_shown_as_people_see_them(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(sheet_formats, "BLOCK_BYTES", block)
    monkeypatch.setattr(sheet_formats, "LONGEST_TAG", 64)
    (item,) = segments(errors_in_cells())
    assert item.content.split("\n")[2:] == ["| #N/A | #DIV/0! |", "| #REF! | 2.5 |", "| text | #NAME? |"]


def test_other_spreadsheets_are_read() -> None:
    office = "urn:oasis:names:tc:opendocument:xmlns"
    cell = "<table:table-cell office:value-type='string'><text:p>{}</text:p></table:table-cell>".format
    content = (
        f"<office:document-content xmlns:office='{office}:office:1.0' xmlns:table='{office}:table:1.0'"
        f" xmlns:text='{office}:text:1.0'><office:body><office:spreadsheet><table:table table:name='S'>"
        f"<table:table-row>{cell('name')}</table:table-row><table:table-row>{cell('pear')}</table:table-row>"
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    manifest = f"<manifest:manifest xmlns:manifest='{office}:manifest:1.0'/>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    parts = {"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content}
    (item,) = segments(archive({name: text.encode() for name, text in parts.items()}))
    assert (item.content, item.metadata["sheet_name"]) == ("| name |\n| --- |\n| pear |", "S")


def test_an_empty_workbook_has_no_segments() -> None:
    assert segments(saved(openpyxl.Workbook())) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b\n1,2", "the loaders csv and table"),
        (b"{\\rtf1}", "it is RTF"),
        (b"PK\x03\x04 broken", "damaged or something else"),
        (word_file(lambda _: None), "no Excel workbook that can be read"),
        (archive({"x": b"y"}), "no Excel workbook that can be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000, "no Excel workbook that can be read"),
    ],
)
def test_other_files_are_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        segments(data)


MOMENT = dt.datetime(2024, 2, 3, 14, 5)  # noqa: DTZ001 - sheets know no zones


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (1234567.0, "#,##0,", "1,235"),
        (1.005, "0.00", "1.01"),
        (2.5, "0", "3"),
        (1.5, "0.##", "1.5"),
        (12345.678, "0.00E+00", "1.23E+04"),
        (0.0, '0.0;-0.0;"none"', "none"),
        (-3.2, "0.0", "-3.2"),
        (-1234.5, "#,##0.00_);[Red](#,##0.00)", "(1,234.50)"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (42.0, "00000", "00042"),
        (0.5, "# ?/?", "0.5"),
        (5.0, "General", "5"),
        (0.1 + 0.2, None, "0.3"),
        (1e20, None, "1e+20"),
        (7.0, '0 "pcs; boxed"', "7 pcs; boxed"),
        (MOMENT, "yyyy-mm-dd hh:mm", "2024-02-03 14:05"),
        (MOMENT, "m/d/yy h:mm AM/PM", "2/3/24 2:05 PM"),
        (MOMENT, "dddd, d mmm yyyy", "Saturday, 3 Feb 2024"),
        (MOMENT, None, "2024-02-03 14:05:00"),
        (dt.date(2024, 2, 3), "mmmm", "February"),
        (dt.time(9, 30), "hh:mm", "09:30"),
        (dt.timedelta(hours=30), "[h]:mm", "30:00:00"),
    ],
)
def test_values_look_as_their_format_says(value: object, code: str | None, text: str) -> None:
    assert shown(value, code) == text


def test_a_directory_that_points_before_the_beginning_is_damage() -> None:
    book = bytearray(price_list())
    place = book.rindex(b"PK\5\6") + 16  # where the directory begins
    book[place : place + 4] = (int.from_bytes(book[place : place + 4], "little") + 0x10000000).to_bytes(4, "little")
    with pytest.raises(UnusableFile, match="damaged"):
        list(excel.load(io.BytesIO(book), source="x", params={}))
