"""What the loaders share: parameters, the text of a file in whatever encoding it has, and what they give.

These modules run in a child process that starts for every file, so they import little.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

    Item = tuple[str, dict[str, Any], str, str]
    """Content, metadata, type, original format."""

BLOCK_BYTES = 256 * 1024
SAMPLE_BYTES = 64 * 1024
FEW_BYTES = 64
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnusableFile(Exception):  # noqa: N818 - it says what is so, in words for the person who sent the file
    """The file or a parameter cannot be used; the text says why."""


def check_names(params: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuse a parameter that the loader does not have."""
    for name in params:
        if name not in known:
            raise UnusableFile(f"loader_params.{name} does not apply here; known: {', '.join(known) or 'none'}")


def clean(text: str) -> str:
    """Return the text without what PostgreSQL cannot hold: NULs are dropped, halves of surrogate pairs replaced."""
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_blocks(file: BinaryIO) -> Iterator[str]:
    """Yield the text of a seekable file, block by block, without its byte order mark."""
    decoder = codecs.getincrementaldecoder(encoding_of(file))()
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        if text := decoder.decode(block):
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest


def encoding_of(file: BinaryIO) -> str:
    """Return the encoding: what a mark at the start says, else UTF-8 if all of it is, else the likeliest."""
    file.seek(0)
    head = file.read(4)
    for mark, name in _MARKS:
        if head.startswith(mark):
            _check_decodes(file, name)
            return name
    if _decodes(file, "utf-8"):
        return "utf-8"
    return _likeliest(file)


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        while block := file.read(BLOCK_BYTES):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _check_decodes(file: BinaryIO, encoding: str) -> None:
    if not _decodes(file, encoding):
        raise UnusableFile(f"the file begins as {encoding.removesuffix('-sig').upper()} but is not valid as such")


def _likeliest(file: BinaryIO) -> str:
    """Guess from the bytes around the first one that is not ASCII; a guess must fit all of the file."""
    sample = _telling_sample(file)
    letters = sum(65 <= (byte | 32) - 32 <= 90 for byte in sample)  # noqa: PLR2004 - A to Z
    others = sum(byte > 127 for byte in sample)  # noqa: PLR2004 - beyond ASCII
    # a few accents among Latin letters are too little to guess from, and nearly always Western
    is_western = others < FEW_BYTES and others < letters
    for guess in ("cp1252",) if is_western else (_guess(sample), "cp1252"):
        if guess and _decodes(file, guess):
            return guess
    raise UnusableFile("the file is not text in any encoding that is known here")


def _guess(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best else None


def _telling_sample(file: BinaryIO) -> bytes:
    file.seek(0)
    while block := file.read(SAMPLE_BYTES):
        if not block.isascii():
            return block
    return b""


def check_is_text(sample: str) -> None:
    """Refuse what decodes but is full of control characters: a picture, an archive."""
    controls = sum(character < " " and character not in "\t\n\r\f\v\0" for character in sample)
    if controls * 20 > len(sample):
        raise UnusableFile("the file does not look like text")
