"""Whether the lines drawn on a PDF page may be those of a table: a cheap look before a dear one."""

from __future__ import annotations

from collections import Counter
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
LEAST_RULES = 3
LEAST_RULE = 30.0
"""Points; a shorter one underlines a word."""
LENGTH_STEP = 8.0
"""Points; rules whose ends are so near to each other are of one width."""
LEAST_SEGMENTS = 8
"""Of one path: a grid that is drawn at once."""


def has_grid(page: pypdfium2.PdfPage) -> bool:
    """Say whether lines run both ways, boxes stand side by side, or three rules of one width stand below each other.

    Rules above and below the text are no table.
    """
    across = down = boxes = 0
    rules: Counter[tuple[int, int]] = Counter()
    for path in islice(page.get_objects(filter=[raw.FPDF_PAGEOBJ_PATH], max_depth=3), MAX_PATHS):
        left, bottom, right, top = path.get_bounds()
        width, height = right - left, top - bottom
        if height <= THIN:
            across += width >= SHORT
            rules[round(left / LENGTH_STEP), round(right / LENGTH_STEP)] += width >= LEAST_RULE
        elif width <= THIN:
            down += height >= SHORT
        elif raw.FPDFPath_CountSegments(path) >= LEAST_SEGMENTS:
            return True
        else:
            boxes += 1
        if min(across, down) >= LEAST_LINES or boxes >= LEAST_BOXES or (boxes and min(across, down)):
            return True
    return max(rules.values(), default=0) >= LEAST_RULES
