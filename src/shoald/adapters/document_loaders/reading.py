"""The text of a file in whatever encoding it has, and the failure that says why a file cannot be used.

These modules run in a child process that starts for every file, so they import little.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from shoald.adapters.document_loaders.file_kinds import HEAD_BYTES, kind_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

BLOCK_BYTES = 256 * 1024
SAMPLE_BYTES = 64 * 1024
FEW_BYTES = 64
DECLARED_WITHIN = 2048
_CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})")
MAX_WHOLE_BYTES = 128 * 1024 * 1024
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class UnusableFile(Exception):  # noqa: N818 - it says what is so, in words for the person who sent the file
    """The file or a parameter cannot be used; the text says why."""


def clean(text: str) -> str:
    """Return the text without what PostgreSQL cannot hold: NULs are dropped, halves of surrogate pairs replaced."""
    text = text.replace("\0", "")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text_blocks(file: BinaryIO, *, declared: bool = False) -> Iterator[str]:
    """Yield the text of a seekable file, block by block, without its byte order mark."""
    decoder = codecs.getincrementaldecoder(encoding_of(file, declared=declared))()
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        if text := decoder.decode(block):
            yield text
    if rest := decoder.decode(b"", final=True):
        yield rest


def whole_text(file: BinaryIO, *, declared: bool = False) -> str:
    """Return the text of a file that must be held whole; raises `UnusableFile` when that would be too much.

    `declared` believes an encoding that the file names in its first lines, if all of it is of that encoding.
    """
    size = file.seek(0, 2)
    if size > MAX_WHOLE_BYTES:
        raise UnusableFile(f"the file has {size:,} bytes; this loader holds it whole and takes {MAX_WHOLE_BYTES:,}")
    text = "".join(text_blocks(file, declared=declared))
    check_is_text(text[:SAMPLE_BYTES])
    return text


def encoding_of(file: BinaryIO, *, declared: bool = False) -> str:
    """Return the encoding: what a mark at the start says, else UTF-8 if all of it is, else the likeliest."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if kind := kind_of(head):
        raise UnusableFile(f"the file is no text: it is {kind}")
    for mark, name in _MARKS:
        if head.startswith(mark):
            _check_decodes(file, name)
            return name
    if _decodes(file, "utf-8"):
        return "utf-8"
    return (_declared(file) if declared else None) or _likeliest(file)


def _declared(file: BinaryIO) -> str | None:
    file.seek(0)
    match = _CHARSET.search(file.read(DECLARED_WITHIN))
    try:
        name = codecs.lookup(match.group(1).decode()).name if match else None
    except LookupError:
        return None
    # only encodings of text: Python knows others by the same means
    return (
        name if name and name not in {"utf-7", "idna", "punycode"} and _is_text(name) and _decodes(file, name) else None
    )


def _is_text(encoding: str) -> bool:
    return codecs.lookup(encoding)._is_text_encoding  # noqa: SLF001 - the only way to ask


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
