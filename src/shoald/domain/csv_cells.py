"""Values as cells of CSV that spreadsheets only show."""

from __future__ import annotations

import re
from typing import Any

_FORMULA = re.compile(r"[=+@\t\r]|-(?![\d.]+$)")
"""How cells begin that spreadsheets compute; a negative number, such as the group of noise, is none."""


def plain_cell(cell: Any) -> Any:
    """Return a cell that no spreadsheet computes: text that begins like a formula gets an apostrophe before it.

    >>> plain_cell("=1+1"), plain_cell("-1"), plain_cell("text"), plain_cell(2)
    ("'=1+1", '-1', 'text', 2)
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
