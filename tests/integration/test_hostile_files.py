"""Files that are made to do harm: each is refused in words, soon, in little memory, and the next is read as ever."""

from __future__ import annotations

import random
import resource
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from shoald.adapters.parser_child.limits import ParserLimits
from shoald.adapters.parser_child.loader import Parser, ParserChildLoader
from shoald.domain.failures import InvalidLoaderParams
from shoald.domain.records.segment_set import SetItem
from shoald.domain.vocabulary import LoaderType
from support.office_files import archive, handbook, price_list, saved, slides, word_file
from support.parser_children import seconds_of_children

pytestmark = pytest.mark.integration

MIB = 1024 * 1024
WORD = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
SPREAD = b"<table><tr><td colspan=1000 rowspan=1000>" + b"x" * 200_000
SECRETS = ("/etc/passwd", "root:")
CLOCKED = {LoaderType.JSON: "jq_schema", LoaderType.DOCX: "regex_patterns"}
# what a child may take before it is ended, here, where a test waits for it
QUICK = ParserLimits(item_cpu_seconds=0.7, cpu_seconds=5)


def make_loader(limits: ParserLimits | None = None) -> ParserChildLoader:
    parsers: dict[str, Parser] = {
        kind: Parser(function=f"shoald.adapters.document_loaders.{kind}:load", clocked=CLOCKED.get(kind, ""))
        for kind in LoaderType
    }
    parsers[LoaderType.JSON] = Parser(
        function=parsers[LoaderType.JSON].function, options={"jq_seconds": 0.3}, clocked="jq_schema"
    )
    return ParserChildLoader(parsers=parsers, limits=limits)


@pytest.fixture(scope="module")
def loader() -> Iterator[ParserChildLoader]:
    loader = make_loader()
    yield loader
    loader.close()


@pytest.fixture(scope="module")
def quick_loader() -> Iterator[ParserChildLoader]:
    loader = make_loader(QUICK)
    yield loader
    loader.close()


def load(loader: ParserChildLoader, folder: Path, kind: str, data: bytes, **params: Any) -> list[SetItem]:
    file = folder / "file"
    file.write_bytes(data)
    return list(loader.load(str(file), filename="x", loader_type=kind, loader_params=params))


def document(inner: bytes, before: bytes = b"") -> bytes:
    xml = before + b'<w:document xmlns:w="' + WORD + b'"><w:body>' + inner + b"</w:body></w:document>"
    return archive({"word/document.xml": xml}, like=word_file(lambda _: None))


def text(words: bytes) -> bytes:
    return b"<w:p><w:r><w:t>" + words + b"</w:t></w:r></w:p>"


def laughs() -> bytes:
    entities = b"".join(b'<!ENTITY %c "%s">' % (98 + at, b"&%c;" % (97 + at) * 10) for at in range(9))
    return document(text(b"&j;"), b'<!DOCTYPE l [<!ENTITY a "lol">' + entities + b"]>")


def outside_entity() -> bytes:
    return document(text(b"&a;"), b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>')


def sheet(inner: bytes) -> bytes:
    return archive({"xl/worksheets/sheet1.xml": SHEET + inner}, like=price_list())


def wide_merges() -> bytes:
    cells = b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1000000"><c r="B1000000"><v>1</v></c></row></sheetData>'
    return sheet(cells + b"<mergeCells>" + b'<mergeCell ref="A1:XFD1048576"/>' * 10 + b"</mergeCells></worksheet>")


def locked() -> bytes:
    data = bytearray(archive({"word/document.xml": b"x"}))
    # the bit that says "encrypted", in the local header and in the directory
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def lying() -> bytes:
    """Return an archive whose directory says that a part is smaller than it is."""
    data = bytearray(archive({"word/document.xml": b"<a>" + b" " * 1000 + b"</a>"}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (10).to_bytes(4, "little")
    return bytes(data)


def pdf(*objects: bytes) -> bytes:
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj" % number + body + b"endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        table,
        len(objects) + 1,
        len(out),
    )


def page_of(stream: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 4 0 R>>"
    content = b"<</Filter%s/Length %d>>stream\n%s\nendstream" % (filters, len(stream), stream)
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", page, content)


def kids_of_themselves() -> bytes:
    return pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R 2 0 R]/Count 9>>")


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "docx zeros": ("docx", lambda: document(text(b" " * 40 * MIB)), "would unpack to"),
    "docx picture": ("docx", lambda: archive({"a": bytes(40 * MIB)}, like=word_file(handbook)), "would unpack to"),
    "docx laughs": ("docx", laughs, "declares entities"),
    "docx outside entity": ("docx", outside_entity, "declares entities"),
    "docx deep": ("docx", lambda: document(b"<w:p>" * 100_000), "no valid XML"),
    "docx in docx": ("docx", lambda: archive({"a.docx": word_file(handbook)}), "no part"),
    "docx locked": ("docx", locked, "protected by a password"),
    "docx lying": ("docx", lying, "no valid XML|damaged"),
    "docx parts": ("docx", lambda: archive({f"{n}": b"" for n in range(20_001)}), "parts; 20,000 are allowed"),
    "pptx zeros": ("pptx", lambda: archive({"ppt/x": bytes(40 * MIB)}, like=slides()), "would unpack to"),
    "xlsx zeros": ("excel", lambda: sheet(b"<row/>" * 4_000_000), "would unpack to"),
    "xlsx merges": ("excel", wide_merges, "merged cells"),
    "pdf loop": ("pdf", kids_of_themselves, "damaged"),
    "csv columns": ("csv", lambda: b",".join([b"1"] * 200_000), "200,000 columns; 16,384 are allowed"),
    "csv quote": ("csv", lambda: b'a,b\n"' + b"y" * 20 * MIB, "cannot be read as CSV at line"),
    "json deep": ("json", lambda: b"[" * 200_000, "nested too deeply"),
    "json digits": ("json", lambda: b"1" * 100_000, "too many digits"),
    "rtf": ("text", lambda: b"{\\rtf1 words}", "it is RTF"),
    "zip as text": ("markdown", lambda: archive({"a": b"b"}), "ZIP archive"),
    "gzip as csv": ("csv", lambda: b"\x1f\x8b\x08" + bytes(100), "gzip"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_refused_before_it_goes_off(loader: ParserChildLoader, tmp_path: Path, name: str) -> None:
    kind, make, words = REFUSED[name]
    data = make()
    began = seconds_of_children()
    with pytest.raises(InvalidLoaderParams, match=words) as caught:
        load(loader, tmp_path, kind, data)
    assert seconds_of_children() - began < 10
    assert caught.value.detail["loader_type"] == kind
    assert not any(secret in caught.value.message for secret in SECRETS)


ENDLESS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "pdf strokes": ("pdf", lambda: page_of(zlib.compress(b"0 0 m 1 1 l S\n" * 1_500_000, 9))),
    "html comments": ("html", lambda: b"<!--" * 500_000),
    "markdown pictures": ("markdown", lambda: b"![" * 1_000_000),
    "mail in mail": ("eml", lambda: b"From: a\n" + b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" * 20_000),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_file_that_takes_too_long_is_ended(quick_loader: ParserChildLoader, tmp_path: Path, name: str) -> None:
    kind, make = ENDLESS[name]
    data = make()
    began = seconds_of_children()
    with pytest.raises(InvalidLoaderParams, match=r"processor time|memory|no mail"):
        load(quick_loader, tmp_path, kind, data)
    assert seconds_of_children() - began < 10


def long_title() -> bytes:
    title = b'<w:p><w:pPr><w:outlineLvl w:val="0"/></w:pPr><w:r><w:t>' + b"T" * 200_000 + b"</w:t></w:r></w:p>"
    below = b'<w:p><w:pPr><w:outlineLvl w:val="1"/></w:pPr><w:r><w:t>below</w:t></w:r></w:p>'
    return document(title + below * 1_000)


SPREADING: dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]] = {
    "a title in every path": ("docx", long_title, {}),
    "ancestors in every section": (
        "docx",
        lambda: document(text(b"1 " + b"x" * 100_000) + text(b"2 y") * 1_000),
        {"regex_patterns": [[1, "^1"], [2, "^2"]]},
    ),
    "a header over every row": ("csv", lambda: b"h,".join([b""] * 9_000) + b"\n" + b"1,2\n" * 1_000, {"chunk_size": 1}),
    "a title in every page": ("html", lambda: b"<h1>" + b"T" * 100_000 + b"</h1>" + b"<h2>b</h2>" * 1_000, {}),
}


@pytest.mark.parametrize("name", SPREADING)
def test_a_few_bytes_do_not_become_gigabytes(tmp_path: Path, name: str) -> None:
    kind, make, params = SPREADING[name]
    loader = make_loader(ParserLimits(max_output_bytes=4 * MIB))
    try:
        with pytest.raises(InvalidLoaderParams, match="segments would take more than 4 MiB and 32 times the file"):
            load(loader, tmp_path, kind, make(), **params)
    finally:
        loader.close()


def test_what_fills_the_memory_is_ended(tmp_path: Path) -> None:
    loader = make_loader(ParserLimits(memory_bytes=120 * MIB))
    words = random.Random(1)
    paragraphs = b"".join(text(words.randbytes(250_000).hex().encode()) for _ in range(80))
    try:
        for kind, data in (("html", SPREAD), ("docx", document(paragraphs))):
            with pytest.raises(InvalidLoaderParams, match="memory"):
                load(loader, tmp_path, kind, data)
    finally:
        loader.close()


def test_a_page_whose_content_would_fill_the_memory_is_reported(loader: ParserChildLoader, tmp_path: Path) -> None:
    inner = zlib.compress(b" " * 100 * MIB, 9)
    bomb = page_of(zlib.compress(inner, 9), b"[/FlateDecode/FlateDecode]")
    (item,) = load(loader, tmp_path, "pdf", bomb)
    assert (item.content, item.metadata["warning"]) == ("", "this page has no text")


def test_one_cell_in_the_last_corner_is_one_cell(loader: ParserChildLoader, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active["XFD1048576"] = 1
    (item,) = load(loader, tmp_path, "excel", saved(book))
    assert (item.content, item.metadata["row_start"]) == ("| 1 |\n| --- |", 1_048_576)


# patterns that take the square of the line, or 2 to its power, on a line that nearly matches
PATTERNS = [
    *(r"(a+)+$", r"(a|aa)+$", r"(a|a)*$", r"(.*)*x", r"(?:a*)*b", r"(\w+\s?)*$", r"^(([a-z])+.)+[A-Z]([a-z])+$"),
    *(r"(a*a*)*b", r"((a+)?)+c", r"(?=(a+)+$)b", r"(a+){20}b", r"a*a*a*a*a*a*a*a*a*b", r"([^b]+)*$", r"(a?){40}a{40}b"),
]


@pytest.mark.parametrize("pattern", PATTERNS[:: len(PATTERNS) // 3])
def test_a_pattern_that_never_ends_is_ended_and_named(loader: ParserChildLoader, tmp_path: Path, pattern: str) -> None:
    began = seconds_of_children()
    line = b"a" * 60 + b"!"
    try:
        load(loader, tmp_path, "docx", document(text(line) * 3), regex_patterns=[[1, pattern]])
    except InvalidLoaderParams as failure:
        assert failure.detail == {"parameter": "regex_patterns", "loader_type": "docx"}  # noqa: PT017 - or it ends well
        assert "took too long" in failure.message  # noqa: PT017 - the same
    assert seconds_of_children() - began < 10


@pytest.mark.nightly
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_that_never_ends_is_ended(loader: ParserChildLoader, tmp_path: Path, pattern: str) -> None:
    began = seconds_of_children()
    try:
        load(loader, tmp_path, "docx", document(text(b"a" * MIB + b"!")), exclude_patterns=[pattern])
    except InvalidLoaderParams as failure:
        assert "regex" in str(failure.detail)  # noqa: PT017 - or it ends well
    assert seconds_of_children() - began < 10


PROGRAMS = [
    *(
        "env",
        "$ENV",
        "env.PATH",
        "$ENV.PATH",
        "[env]",
        "{a: env}",
        ".[] | env",
        "env | keys",
        '"\\(env)"',
        "env|tojson",
    ),
    *("input", "inputs", "[inputs]", "input_filename", "debug", "stderr", "halt", "halt_error", "input_line_number"),
    *('import "a" as a; a::b', 'include "a"; b', 'import "a" as a {search: "/etc"}; a::b', "get_search_list"),
    *('"a" | modulemeta', "$__prog_args", "def f: f; f", "[repeat(1)]", "until(false; .)", "last(range(1e15))"),
    *("[range(1e12)]", "[limit(1e12; repeat(1))]", "reduce range(1e12) as $i (0; .+1)", "def f: [f]; f"),
    *('"a" * 1e9 | length', "[.,.] | combinations(1000000)", ". as [$a] | $a | error", "$__loc__", "getpath([1e9])"),
    *("@sh", 'ltrimstr(1) | splits("(a+)+$")', '"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | test("(a+)+$")', ".["),
]


def test_no_program_gets_out(loader: ParserChildLoader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOAL_SECRET", "hidden-in-the-environment")
    for program in PROGRAMS:
        began = seconds_of_children()
        try:
            found = "".join(item.content for item in load(loader, tmp_path, "json", b"[1]", jq_schema=program))
        except InvalidLoaderParams as failure:
            found = failure.message
        assert seconds_of_children() - began < 10, program
        assert not any(word in found for word in ("hidden", "/usr/bin", "root:", *SECRETS)), program


def test_the_memory_of_this_process_stays_as_it_is(loader: ParserChildLoader, tmp_path: Path) -> None:
    load(loader, tmp_path, "docx", word_file(handbook))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidLoaderParams):
        load(loader, tmp_path, "html", SPREAD)
    assert len(load(loader, tmp_path, "docx", word_file(handbook))) == 7
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 50
