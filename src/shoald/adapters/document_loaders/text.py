"""Plain text to one segment, or to several of about a megabyte each, cut at blank lines or line ends."""

from __future__ import annotations

from collections.abc import Iterator

from shoald.adapters.document_loaders.items import Item
from shoald.adapters.document_loaders.params import check_names
from shoald.adapters.document_loaders.reading import check_is_text, clean, text_blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

PIECE_CHARACTERS = 1024 * 1024


def load(file: BinaryIO, *, source: str, params: Mapping[str, Any]) -> Iterator[Item]:
    """Yield the text verbatim, in flat memory; raises `UnusableFile`."""
    check_names(params, ())
    start = 0
    for piece in _pieces(file):
        if not piece.isspace():
            yield Item(clean(piece), {"source": source, "char_start": start, "char_end": start + len(piece)})
        start += len(piece)


def _pieces(file: BinaryIO) -> Iterator[str]:
    held = ""
    for number, block in enumerate(text_blocks(file)):
        if number == 0:
            check_is_text(block)
        held += block
        while len(held) > PIECE_CHARACTERS:
            cut = _cut(held)
            yield held[:cut]
            held = held[cut:]
    if held:
        yield held


def _cut(text: str) -> int:
    """Return where to cut: after the last blank line, else line, else word of the first `PIECE_CHARACTERS`."""
    for separator in ("\n\n", "\n", " "):
        found = text.rfind(separator, PIECE_CHARACTERS // 2, PIECE_CHARACTERS)
        if found >= 0:
            return found + len(separator)
    return PIECE_CHARACTERS
