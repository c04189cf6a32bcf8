"""The CSV loader: Markdown tables, nothing retyped."""

from __future__ import annotations

import io
from typing import Any

import pytest

from shoald.adapters.document_loaders.csv import load
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.reading import UnusableFile


def segments(data: str | bytes, **params: Any) -> list[Item]:
    file = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return list(load(file, source="x.csv", params=params))


def table(data: str | bytes, **params: Any) -> list[str]:
    (segment,) = segments(data, **params)
    return segment[0].split("\n")


def test_a_block_of_rows_is_a_table() -> None:
    (item,) = segments("name,n\na,1\nb,2\n")
    assert item.content == "| name | n |\n| --- | --- |\n| a | 1 |\n| b | 2 |"
    assert (item.type, item.original_format, item.parent) == ("table", "markdown", None)
    assert item.metadata == {
        "source": "x.csv",
        "row_count": 2,
        "chunk_index": 0,
        "row_start": 1,
        "row_end": 2,
        "char_start": 7,
        "char_end": 15,
    }


def test_a_table_says_where_its_rows_stand() -> None:
    data = 'name;n\n"a\nb";1\n\nc;2\nd;3'
    first, second = segments(data, chunk_size=2)
    place = [(item.metadata["char_start"], item.metadata["char_end"]) for item in (first, second)]
    assert [data[start:end] for start, end in place] == ['"a\nb";1\n\nc;2\n', "d;3"]
    assert [(item.metadata["row_start"], item.metadata["row_end"]) for item in (first, second)] == [(1, 2), (3, 3)]


def test_cells_stay_as_they_are_written() -> None:
    assert table("a,b,c\n007,1.10,\n1e5,NULL,2024-01-02") == [
        "| a | b | c |",
        "| --- | --- | --- |",
        "| 007 | 1.10 |  |",
        "| 1e5 | NULL | 2024-01-02 |",
    ]


def test_pipes_and_line_breaks_do_not_break_the_table() -> None:
    assert table('a,b\nx|y,"one\r\ntwo\nthree"')[2] == r"| x\|y | one<br>two<br>three |"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    rows = [["a", "b, c", "d"], ["1", "2.5", "3"], ["x", "y", "z"]]
    data = "\n".join(delimiter.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in rows)
    assert table(data)[0] == "| a | b, c | d |"


@pytest.mark.parametrize("line", ["sep=;\r\n", '"sep=;"\n', "SEP=;\n", "\ufeffsep=;\r\n"])
def test_a_first_line_of_excel_tells_the_delimiter_and_is_no_row(line: str) -> None:
    (item,) = segments(f"{line}a;b\n1,5;2,5\n3,5;4,5\n")
    assert item.content == "| a | b |\n| --- | --- |\n| 1,5 | 2,5 |\n| 3,5 | 4,5 |"
    told = line.removeprefix("\ufeff")
    assert item.metadata["char_start"] == len(told) + len("a;b\n")


@pytest.mark.parametrize("first", ["sep=", "sep=;;", "sep", "my sep=;"])
def test_another_first_line_names_the_columns(first: str) -> None:
    assert table(f"{first},b\n1,2\n")[0] == f"| {first} | b |"


def test_a_single_column_is_a_table_too() -> None:
    assert table("name\none\ntwo") == ["| name |", "| --- |", "| one |", "| two |"]


def test_lines_of_a_single_column_are_not_cut() -> None:
    data = 'text\nApples, pears, and plums; red | green\nNothing\n"Quoted, too"\nA tab\there, and there\n'
    lines = ["Apples, pears, and plums; red \\| green", "Nothing", "Quoted, too", "A tab\there, and there"]
    assert table(data) == ["| text |", "| --- |", *(f"| {line} |" for line in lines)]
    assert table("city\nParis, France\nBerlin, Germany")[2] == "| Paris, France |"
    assert table("text\none, two, three")[2] == "| one, two, three |"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_title_above_a_table_leaves_it_a_table(delimiter: str) -> None:
    rows = [["Sales of 2024"], ["city", "month", "sum"], ["Paris", "May", "3"]]
    data = "\n".join(delimiter.join(row) for row in rows)
    assert table(data)[::2] == ["| Sales of 2024 |  |  |", "| city | month | sum |"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_counts(end: str) -> None:
    assert len(table(end.join(["a,b", "1,2", "3,4"]))) == 4


@pytest.mark.parametrize("size", [2, 2.0, "2"])
def test_the_rows_of_a_segment_are_chosen(size: object) -> None:
    found = segments("a\n" + "".join(f"{n}\n" for n in range(5)), chunk_size=size)
    assert [item[1]["row_count"] for item in found] == [2, 2, 1]
    assert [item[1]["chunk_index"] for item in found] == [0, 1, 2]
    assert all(item[0].startswith("| a |\n| --- |\n") for item in found)


def test_a_hundred_rows_by_default() -> None:
    assert [item[1]["row_count"] for item in segments("a\n" + "x\n" * 250)] == [100, 100, 50]


def test_rows_of_other_lengths_are_kept() -> None:
    assert table("a,b\n1\n1,2,3\n4,5\n6,7\n") == [
        "| a | b |  |",
        "| --- | --- | --- |",
        "| 1 |  |  |",
        "| 1 | 2 | 3 |",
        "| 4 | 5 |  |",
        "| 6 | 7 |  |",
    ]


@pytest.mark.parametrize("data", ["", "\n\n", "a,b", "a,b\n,\n"])
def test_a_file_without_rows_has_no_segments(data: str) -> None:
    assert segments(data) == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_the_encoding_is_found(encoding: str) -> None:
    assert table("Größe,été\n1,naïve\n".encode(encoding))[0::2] == ["| Größe | été |", "| 1 | naïve |"]


def test_an_encoding_of_another_script_is_found() -> None:
    text = "имя,описание\n" + "собака,большая и добрая собака живёт в деревне\n" * 20
    assert table(text.encode("cp1251"))[0] == "| имя | описание |"


def test_nuls_are_dropped() -> None:
    assert table(b"a,b\n1\x00,2")[2] == "| 1 | 2 |"


@pytest.mark.parametrize("data", [bytes(range(256)) * 40, b"\xff\xfea", b"\x01\x02\x03\x04,\x05\n" * 50])
def test_what_is_not_text_is_refused(data: bytes) -> None:
    with pytest.raises(UnusableFile):
        segments(data)


def test_a_quote_that_never_ends_does_not_eat_the_memory() -> None:
    with pytest.raises(UnusableFile, match="at line"):
        segments('a,b\n"' + "x" * 100 + "\n" + ("y" * 1000 + "\n") * 17_000)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, "many", None.__class__, 10**9])
def test_a_bad_number_of_rows_is_refused(size: object) -> None:
    with pytest.raises(UnusableFile, match="chunk_size"):
        segments("a\n1", chunk_size=size)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(UnusableFile, match="delimiter does not apply here; known: chunk_size"):
        segments("a\n1", delimiter=";")
