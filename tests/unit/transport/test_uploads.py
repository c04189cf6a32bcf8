from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.application.documents import FileInfo
from shoald.domain.failures import InvalidFields
from shoald.transport.uploads import DOCUMENT_FIELDS, FormReader, json_object

CONTENT_TYPE = "multipart/form-data; boundary=bound"
DISPOSITION = b'Content-Disposition: form-data; name="file"; filename="notes.txt"\r\nContent-Type: text/plain\r\n\r\n'


def form(content: bytes, *, params: bytes | None = None) -> bytes:
    body = b"--bound\r\n" + DISPOSITION + content + b"\r\n"
    if params is not None:
        body += b'--bound\r\nContent-Disposition: form-data; name="parser_params_json"\r\n\r\n' + params + b"\r\n"
    return body + b"--bound--\r\n"


def read(pieces: list[bytes], content_type: str = CONTENT_TYPE) -> tuple[bytes, FileInfo]:
    written = bytearray()
    info = FormReader(content_type, written.extend, DOCUMENT_FIELDS).read(pieces).document()
    return bytes(written), info


def problem(pieces: list[bytes], content_type: str = CONTENT_TYPE) -> tuple[tuple[str | int, ...], str]:
    with pytest.raises(InvalidFields) as raised:
        read(pieces, content_type)
    (found,) = raised.value.problems
    return found.loc, found.kind


@given(
    content=st.binary(max_size=300) | st.sampled_from([b"\r\n--bound", b"\r\n--boun", b"--bound--\r", b"\r\r\n\n"]),
    cuts=st.lists(st.integers(min_value=1, max_value=50), max_size=30),
)
def test_the_file_is_the_same_however_its_body_is_cut(content: bytes, cuts: list[int]) -> None:
    if b"\r\n--bound" in b"\r\n" + content:
        content = content.replace(b"--bound", b"")
    body = form(content, params=b'{"a": 1}')
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(body[at : at + cut])
        at += cut
    written, info = read([*pieces, body[at:]])
    assert written == content
    assert info == FileInfo(filename="notes.txt", mime="text/plain", parser_params={"a": 1})


def test_a_large_file_passes_through_in_constant_memory() -> None:
    piece = b"x" * (256 * 1024)

    def pieces() -> Iterator[bytes]:
        yield b"--bound\r\n" + DISPOSITION
        for _ in range(128):
            yield piece
        yield b"\r\n--bound--\r\n"

    sizes: list[int] = []
    tracemalloc.start()
    try:
        FormReader(CONTENT_TYPE, lambda data: sizes.append(len(data)), ()).read(pieces())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 128 * len(piece)
    assert peak < 4 * len(piece)


@pytest.mark.parametrize(
    ("pieces", "content_type", "expected"),
    [
        ([b""], "application/json", (("body", "file"), "missing")),
        ([b""], "", (("body", "file"), "missing")),
        ([form(b"x")], "multipart/form-data", (("body",), "value_error")),
        ([form(b"x")], f"multipart/form-data; boundary={'b' * 300}", (("body",), "value_error")),
        ([form(b"x")], "multipart/form-data; boundary=\u4f60", (("body",), "value_error")),
        ([form(b"x")[:-6]], CONTENT_TYPE, (("body",), "value_error")),
        ([b"no form"], CONTENT_TYPE, (("body",), "value_error")),
        ([b"--bound--\r\n"], CONTENT_TYPE, (("body", "file"), "missing")),
        ([form(b"x", params=b"{")], CONTENT_TYPE, (("body", "parser_params_json"), "json_invalid")),
        ([form(b"x", params=b"[]")], CONTENT_TYPE, (("body", "parser_params_json"), "dict_type")),
        ([form(b"x", params=b"1" * 2_000_000)], CONTENT_TYPE, (("body", "parser_params_json"), "string_too_long")),
    ],
)
def test_broken_forms_are_refused_by_name(
    pieces: list[bytes], content_type: str, expected: tuple[tuple[str | int, ...], str]
) -> None:
    assert problem(pieces, content_type) == expected


@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        (b"filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        (b"filename=\"=?utf-8?B?bmHDr3ZlLnR4dA==?=\"; filename*=utf-8''na%C3%AFve.txt", "naïve.txt"),
        (b"filename*=iso-8859-1'en'na%EFve.txt; x=y", "naïve.txt"),
        # what a proxy before Shoal read stays the name
        (b"filename=\"plain.txt\"; filename*=UTF-8''other.txt", "plain.txt"),
        (b"filename*=klingon''x.txt", ""),
        (b"filename*=UTF-8''%FF.txt", "\N{REPLACEMENT CHARACTER}.txt"),
    ],
)
def test_a_name_beyond_ascii_is_read_as_clients_write_it(parameters: bytes, filename: str) -> None:
    head = b'--bound\r\nContent-Disposition: form-data; name="file"; ' + parameters
    _, info = read([head + b"\r\n\r\nx\r\n--bound--\r\n"])
    assert info.filename == filename


def test_an_extended_name_is_checked_like_any() -> None:
    head = b"--bound\r\nContent-Disposition: form-data; name=\"file\"; filename*=UTF-8''a%00b"
    assert problem([head + b"\r\n\r\nx\r\n--bound--\r\n"]) == (("body", "file"), "value_error")


def test_parser_params_are_an_object_or_nothing() -> None:
    assert json_object("parser_params_json", b"null") is None
    assert json_object("parser_params_json", b'{"a": [1, 2.5, null]}') == {"a": [1, 2.5, None]}
    assert json_object("parser_params_json", rb'{"a": "\\u0000"}') == {"a": r"\u0000"}
    too_deep = b'{"a":' * 25 + b"1" + b"}" * 25
    for text in (b"NaN", b'"text"', b'{"a": "\\u0000"}', b"[" * 5000, too_deep, b'{"a": 9007199254740993}'):
        with pytest.raises(InvalidFields):
            json_object("parser_params_json", text)
