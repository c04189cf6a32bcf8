"""The pictures on a PDF page, as files that browsers show."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pypdfium2
from pypdfium2 import raw

LEAST_PIXELS = 32
"""On either side; what is smaller is a line or a dot of a drawing."""
MAX_PIXELS = 25_000_000
MAX_ON_A_PAGE = 50


def pictures(page: pypdfium2.PdfPage) -> Iterator[tuple[bytes, int, int]]:
    """Yield (bytes, width, height in pixels): JPEG as it is in the file, everything else as PNG."""
    count = 0
    for picture in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3):
        width, height = picture.get_px_size()
        if min(width, height) < LEAST_PIXELS or width * height > MAX_PIXELS:
            continue
        data = _bytes(picture)
        if data:
            yield data, width, height
            count += 1
        if count == MAX_ON_A_PAGE:
            return


def _bytes(picture: pypdfium2.PdfImage) -> bytes | None:
    try:
        if picture.get_filters() == ["DCTDecode"]:
            return bytes(picture.get_data(decode_simple=False))
        out = io.BytesIO()
        picture.get_bitmap().to_pil().save(out, "PNG", compress_level=1)
    except (pypdfium2.PdfiumError, OSError, ValueError):
        return None
    return out.getvalue()
