"""JSON to one segment per value that a jq program gives.

A value that is a list gives one segment per element. Objects become indented JSON, texts stand as they are, null gives
nothing. Without a program (or with `.`) the file is read value by value: a list of any length takes the memory
of its longest element. A program needs the whole file in memory, so it has a limit.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from json.encoder import encode_basestring as _quoted

from shoald.adapters.document_loaders import jq_programs
from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import UnusableFile, clean, text_blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    _Placed = tuple[Any, dict[str, int]]
    """A value, and its place in the file as metadata."""

NEAR_END = 16
"""Within so many characters of the end, a constant, a number or an escape may be cut off."""
MOST_OUTPUTS_BESIDES = 100_000
"""Values that a program may give beside one for each character of the file: more do not come from the file."""
_CONSTANTS = {True: "true", False: "false", None: "null"}
_SPACE = " \t\r\n\0\ufeff"


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any], jq_seconds: float = 2.0) -> Iterator[Item]:
    """Yield the segments; raises `UnusableFile`. A program has `jq_seconds` to each of its outputs."""
    check_names(params, ("jq_schema",))
    schema = params.get("jq_schema")
    if schema is not None and not isinstance(schema, str):
        raise UnusableFile("loader_params.jq_schema must be a text: a jq program")
    program = (schema or ".").strip()
    try:
        for value, place in _elements(file) if program == "." else _outputs(file, program, jq_seconds):
            if value is not None:
                content, original_format = _written(value)
                yield Item(clean(content), {"source": source} | place, "text", original_format)
    except RecursionError:
        raise UnusableFile("the JSON is nested too deeply") from None


def _written(value: Any) -> tuple[str, str]:
    if isinstance(value, str):
        return value, "text"
    if isinstance(value, dict | list):
        return _indented(value, "\n"), "json"
    return json.dumps(value), "text"


def _indented(value: Any, margin: str) -> str:
    """Return JSON as `json.dumps(value, ensure_ascii=False, indent=2)` does, in fewer steps."""
    if isinstance(value, str):
        return _quoted(value)
    inner = margin + "  "
    if isinstance(value, dict) and value:
        members = [f"{_quoted(name)}: {_indented(member, inner)}" for name, member in value.items()]
        return "{" + inner + f",{inner}".join(members) + margin + "}"
    if isinstance(value, list) and value:
        return "[" + inner + f",{inner}".join([_indented(member, inner) for member in value]) + margin + "]"
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return _CONSTANTS[value] if value is None or isinstance(value, bool) else repr(value)


def _outputs(file: BinaryIO, program: str, seconds: float) -> Iterator[_Placed]:
    text = "".join(text_blocks(file))
    left = MOST_OUTPUTS_BESIDES + len(text)
    for output in jq_programs.run(program, text, seconds):
        value = _decoder().decode(output)
        elements = value if isinstance(value, list) else [value]
        # an endless program may take hardly any time to each output; all of them would be stored before it is refused
        left -= len(elements)
        if left < 0:
            raise UnusableFile(
                "loader_params.jq_schema gives more values than the file can hold"
                f" (one per character, and {MOST_OUTPUTS_BESIDES:,})"
            )
        # what a program gives stands nowhere in the file
        for element in elements:
            yield element, {}


def _elements(file: BinaryIO) -> Iterator[_Placed]:
    """Yield the elements of each list, and every other value, at the root of the file."""
    reader = _Reader(text_blocks(file))
    while (first := reader.peek()) is not None:
        if first == "[":
            yield from _list_elements(reader)
        else:
            yield reader.value()


def _list_elements(reader: _Reader) -> Iterator[_Placed]:
    reader.skip()
    if reader.peek() == "]":
        reader.skip()
        return
    while True:
        yield reader.value()
        following = reader.peek()
        if following not in {",", "]"}:
            raise reader.problem("a comma or the end of the list was expected")
        reader.skip()
        if following == "]":
            return


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _decoder() -> json.JSONDecoder:
    # control characters within texts are met in real files; they do no harm
    return json.JSONDecoder(strict=False, parse_constant=_no_constant)


class _Reader:
    """Reads JSON values from blocks of text, holding no more than the value at hand."""

    def __init__(self, blocks: Iterator[str]) -> None:
        self._blocks, self._decode = blocks, _decoder().raw_decode
        self._text, self._at, self._passed, self._is_whole = "", 0, 0, False

    def peek(self) -> str | None:
        """Return the next character that is not a blank, or None at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._grow():
                return None

    def skip(self) -> None:
        """Pass the character that `peek` gave."""
        self._at += 1

    def value(self) -> _Placed:
        """Return the next value and where it stands, reading on until it is whole."""
        self.peek()
        start = self._passed + self._at
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._is_wrong(error) or not self._grow():
                    raise self.problem(error.msg) from None
            except ValueError as error:
                reason = "a number has too many digits" if "digits" in str(error) else str(error)
                raise UnusableFile(f"the file is not valid JSON: {reason}") from None
            else:
                # a number near the end of what has been read may go on
                if len(self._text) - end > NEAR_END or not self._grow():
                    self._at = end
                    return value, {"char_start": start, "char_end": self._passed + end}

    def _is_wrong(self, error: json.JSONDecodeError) -> bool:
        """Say whether more text would not help: what is merely cut off is wrong at its end, or is an open text."""
        return error.pos < len(self._text) - NEAR_END and not error.msg.startswith("Unterminated string")

    def problem(self, reason: str) -> UnusableFile:
        """Return the failure at the present place."""
        place = self._passed + self._at
        return UnusableFile(f"the file is not valid JSON: {reason}, at character {place} or after")

    def _grow(self) -> bool:
        """Read at least as much again as is held, so that a long value is not begun anew too often."""
        wanted = len(self._text) - self._at
        parts, length = [self._text[self._at :]], 0
        while not self._is_whole and (length == 0 or length < wanted):
            block = next(self._blocks, None)
            if block is None:
                self._is_whole = True
            else:
                parts.append(block)
                length += len(block)
        if length:
            self._passed += self._at
            self._text, self._at = "".join(parts), 0
        return length > 0
