"""A multipart body goes in piece by piece; the file's bytes go on at once, the form's fields come out at the end."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header

from shoald.application.documents import DEFAULT_MIME, FileInfo
from shoald.domain.failures import FieldProblem, InvalidFields, TooLarge
from shoald.domain.json_types import flaw_of

_MULTIPART = b"multipart/form-data"
_FILE, _PARAMS, _LOADER, _SOURCE = "file", "parser_params_json", "loader_type", "source_path"
_LOADER_PARAMS = "loader_params_json"
DOCUMENT_FIELDS = (_PARAMS, _SOURCE)
"""What the form of a document upload has beside its file."""
_FLAGS = {
    **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
    **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
}
_MOST_FIELD_BYTES = 1024 * 1024
_LONGEST_FILENAME = 500
_LONGEST_SOURCE = 4096
_LONGEST_MIME = 200
_LONGEST_BOUNDARY = 200  # RFC 2046 allows 70
_EXTENDED_NAME = re.compile(rb""";\s*filename\*\s*=\s*"?(utf-8|iso-8859-1)'[^']*'([^;"\s]+)""", re.IGNORECASE)
_ENCODED_WORD = "=?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a form says beside its file's bytes: the file's name and media type, and the other fields as they came."""

    filename: str
    mime: str
    fields: Mapping[str, bytes | bytearray]

    def document(self) -> FileInfo:
        """Return what a document upload says of its file."""
        params = self.json_object(_PARAMS)
        return FileInfo(filename=self.filename, mime=self.mime, parser_params=params, source_path=self.source_path())

    def source_path(self) -> str | None:
        """Return where the file came from, as its sender names it. Raises `InvalidFields`."""
        path = self.text(_SOURCE)
        if path is not None and len(path) > _LONGEST_SOURCE:
            message = f"String should have at most {_LONGEST_SOURCE} characters"
            raise InvalidFields.field("body", _SOURCE, kind="string_too_long", message=message)
        return path

    def json_object(self, name: str) -> dict[str, Any] | None:
        """Return the object in a `*_json` field; absent, empty and `null` are none. Raises `InvalidFields`."""
        text = self.fields.get(name)
        return json_object(name, bytes(text)) if text else None

    def text(self, name: str) -> str | None:
        """Return the text of a field; absent and empty are none. Raises `InvalidFields`."""
        try:
            text = self.fields.get(name, b"").decode()
        except UnicodeDecodeError as error:
            raise InvalidFields.field("body", name, message="Value error, the text is not UTF-8") from error
        if flaw := flaw_of(text):
            raise InvalidFields.field("body", name, message=f"Value error, {flaw}")
        return text or None

    def flag(self, name: str) -> bool:
        """Return the yes or no of a field; absent and empty are no. Raises `InvalidFields`."""
        given = self.text(name)
        if given is None:
            return False
        if given.lower() not in _FLAGS:
            message = "Input should be a valid boolean, unable to interpret input"
            raise InvalidFields.field("body", name, kind="bool_parsing", message=message, value=given)
        return _FLAGS[given.lower()]


class FormReader:
    """Reads one upload form: its file goes on in pieces, of its fields only the named ones are kept.

    What it raises names the field that is wrong, in the documented form.
    """

    def __init__(self, content_type: str, write: Callable[[bytes], None], fields: Collection[str]) -> None:
        self._write = write
        self._kept = frozenset(fields)
        self._part = _Part()
        self._file: _Part | None = None
        self._fields: dict[str, bytearray] = {}
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._is_whole = False
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._header_field,
                "on_header_value": self._header_content,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._part_data,
                "on_end": self._end,
            },
        )

    def read(self, pieces: Iterable[bytes]) -> Form:
        """Read the whole body and return what it says beside its file's bytes."""
        for piece in pieces:
            try:
                self._parser.write(piece)
            except MultipartParseError as error:
                raise _malformed(str(error)) from error
        if not self._is_whole:
            raise _malformed("it ends before its last boundary")
        if self._file is None:
            raise InvalidFields([FieldProblem(("body", _FILE), "missing", "Field required")])
        return Form(
            filename=self._file.filename,
            mime=self._file.mime or DEFAULT_MIME,
            fields={name: bytes(value) for name, value in self._fields.items()},
        )

    def _begin_part(self) -> None:
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _header_content(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._part.take_header(bytes(self._header_name).lower(), bytes(self._header_value))
        self._header_name.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        if self._part.name in self._kept:
            self._fields[self._part.name] = bytearray()  # given twice, the last counts
        if self._part.name != _FILE:
            return
        if self._file is not None:
            raise InvalidFields.field("body", _FILE, message="Value error, only one file can be uploaded at a time")
        self._part.check()
        self._file = self._part

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is self._file:
            self._write(data[start:end])
        elif self._part.name in self._kept:
            self._keep(self._part.name, data[start:end])

    def _keep(self, name: str, piece: bytes) -> None:
        field = self._fields[name]
        if len(field) + len(piece) > _MOST_FIELD_BYTES:
            raise InvalidFields.field(
                "body", name, kind="string_too_long", message=f"Value error, at most {_MOST_FIELD_BYTES} bytes"
            )
        field += piece

    def _end(self) -> None:
        self._is_whole = True


@dataclass(slots=True, kw_only=True)
class UploadedFile:
    """One of the files of a form, under the loader and parameters that stand before it; `source_path` is its own."""

    filename: str
    mime: str
    loader_type: str
    loader_params: dict[str, Any]
    source_path: str | None
    content: bytearray


class FilesReader(FormReader):
    """Reads a form with many small files, each under the `loader_type` and `loader_params_json` that stand before it.

    A `source_path` is that of the next file alone.
    """

    def __init__(self, content_type: str, *, most_files: int, most_bytes: int) -> None:
        super().__init__(content_type, self._take, (_LOADER, _LOADER_PARAMS, _SOURCE))
        self._most_files, self._left = most_files, most_bytes
        self._files: list[UploadedFile] = []

    def read_files(self, pieces: Iterable[bytes]) -> list[UploadedFile]:
        """Read the whole body and return its files."""
        self.read(pieces)
        return self._files

    def _end_headers(self) -> None:
        self._file = None  # this form has one file after another
        super()._end_headers()
        if self._part.name != _FILE:
            return
        before = Form(filename="", mime="", fields=self._fields)
        loader_type, source_path = before.text(_LOADER), before.source_path()
        self._fields.pop(_SOURCE, None)
        if loader_type is None:
            raise InvalidFields([FieldProblem(("body", _LOADER), "missing", "Field required before the file")])
        if len(self._files) == self._most_files:
            raise TooLarge(f"The form has more than {self._most_files} files.", detail={"max_files": self._most_files})
        file = UploadedFile(
            filename=self._part.filename,
            mime=self._part.mime or DEFAULT_MIME,
            loader_type=loader_type,
            loader_params=before.json_object(_LOADER_PARAMS) or {},
            source_path=source_path,
            content=bytearray(),
        )
        self._files.append(file)

    def _end(self) -> None:
        super()._end()
        if self._files:
            self._file = self._file or _Part()  # a field after the last file is no reason to miss it

    def _take(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge("The files together are too large for one call; send them one by one.")
        self._files[-1].content += piece


class _Part:
    """The headers of one part of a form."""

    def __init__(self) -> None:
        self.name = ""
        self.filename = ""
        self.mime: str | None = None

    def take_header(self, name: bytes, value: bytes) -> None:
        if name == b"content-disposition":
            _, options = parse_options_header(value)
            self.name = options.get(b"name", b"").decode("utf-8", "replace")
            self.filename = _filename(value, options.get(b"filename", b"").decode("utf-8", "replace"))
        elif name == b"content-type":
            self.mime = value.decode("latin-1").strip()

    def check(self) -> None:
        """Refuse a name that is too long or holds NUL; a media type that is none counts as not given."""
        if len(self.filename) > _LONGEST_FILENAME:
            message = f"Value error, the file name has more than {_LONGEST_FILENAME} characters"
            raise InvalidFields.field("body", _FILE, message=message)
        if "\0" in self.filename:
            raise InvalidFields.field("body", _FILE, message="Value error, the file name must not contain NUL")
        if self.mime is not None and (len(self.mime) > _LONGEST_MIME or not self.mime.isprintable()):
            self.mime = None


def json_object(name: str, text: bytes) -> dict[str, Any] | None:
    """Return the object in a field of JSON text; `null` is none. Raises `InvalidFields` for anything else."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        message = f"Invalid JSON: {error}"
        raise InvalidFields.field("body", name, kind="json_invalid", message=message) from error
    if value is not None and not isinstance(value, dict):
        raise InvalidFields.field("body", name, kind="dict_type", message="Input should be a valid dictionary")
    if flaw := flaw_of(value):
        raise InvalidFields.field("body", name, message=f"Value error, {flaw}")
    return value


def _filename(disposition: bytes, plain: str) -> str:
    """Return the plain name, or the extended one where there is no plain one that can be read.

    A form should have a plain name only; some clients send one beyond ASCII as `filename*` all the same, .NET beside an
    encoded word.
    """
    if plain and not plain.startswith(_ENCODED_WORD):
        return plain
    extended = _EXTENDED_NAME.search(disposition)
    return unquote(extended[2].decode("latin-1"), encoding=extended[1].decode()) if extended else plain


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type.encode())
    if kind.lower() != _MULTIPART:
        message = f"Field required: the body must be multipart/form-data, not {content_type or 'of no content type'}"
        raise InvalidFields([FieldProblem(("body", _FILE), "missing", message)])
    boundary = options.get(b"boundary")
    if not boundary:
        raise _malformed("its content type names no boundary")
    if len(boundary) > _LONGEST_BOUNDARY:
        raise _malformed(f"its boundary has more than {_LONGEST_BOUNDARY} characters")
    return boundary


def _malformed(why: str) -> InvalidFields:
    return InvalidFields.field("body", message=f"Value error, the multipart body cannot be read: {why}")
