"""Whether the lines drawn on a PDF page may be those of a table: a cheap look before a dear one."""

from __future__ import annotations

from itertools import islice

import pypdfium2
from pypdfium2 import raw

MAX_PATHS = 5_000
THIN = 3.0
"""Points; what is thinner is a line, however it was drawn."""
SHORT = 8.0
"""Points; what is shorter is no line of a table."""
LEAST_LINES = 2
LEAST_BOXES = 4
LEAST_SEGMENTS = 8
"""Of one path: a grid that is drawn at once."""


def has_grid(page: pypdfium2.PdfPage) -> bool:
    """Say whether lines run both ways, or boxes stand side by side; rules above and below the text are no table."""
    across = down = boxes = 0
    for path in islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=3), MAX_PATHS):
        left, bottom, right, top = path.get_bounds()
        width, height = right - left, top - bottom
        if height <= THIN:
            across += width >= SHORT
        elif width <= THIN:
            down += height >= SHORT
        elif raw.FPDFPath_CountSegments(path) >= LEAST_SEGMENTS:
            return True
        else:
            boxes += 1
        if min(across, down) >= LEAST_LINES or boxes >= LEAST_BOXES or (boxes and min(across, down)):
            return True
    return False
