"""The text of a PDF page, with or without what stands in certain boxes."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence

import pypdfium2
from pypdfium2 import raw

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points from the lower left corner."""

# PDFium's sign for a hyphen that only parts a word at the end of a line
_HYPHEN = re.compile("[\ufffe\x02]\r?\n?")
_BLANKS = re.compile(r"[ \t]+\n")
_GAPS = re.compile(r"\n{3,}")


def page_text(page: pypdfium2.PdfPage, without: Sequence[Box] = ()) -> str:
    """Return the text in reading order as the file has it; words parted at line ends are put together."""
    text_page = page.get_textpage()
    try:
        text = _outside(text_page, without) if without else text_page.get_text_range()
    finally:
        text_page.close()
    text = _HYPHEN.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _GAPS.sub("\n\n", _BLANKS.sub("\n", text))


def _outside(text_page: pypdfium2.PdfTextPage, boxes: Sequence[Box]) -> str:
    """Return the characters whose centre is in none of the boxes; blanks that PDFium adds have no place."""
    kept: list[str] = []
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    is_out = True
    for at in range(text_page.count_chars()):
        code = raw.FPDFText_GetUnicode(text_page, at)
        if not raw.FPDFText_IsGenerated(text_page, at):
            raw.FPDFText_GetCharBox(text_page, at, left, right, bottom, top)
            x, y = (left.value + right.value) / 2, (bottom.value + top.value) / 2
            is_out = not any(box[0] <= x <= box[2] and box[1] <= y <= box[3] for box in boxes)
        if is_out or code in {10, 13}:
            kept.append(chr(code))
    # pairs of surrogates come as two characters
    return "".join(kept).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
