"""Keeps the parts' logs from filling the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MOST_BYTES = 20 * 1024 * 1024
KEPT = 3


def rotate(log: Path, *, most_bytes: int = MOST_BYTES, kept: int = KEPT) -> bool:
    """Move a log that has grown too large to `.1`, `.1` to `.2` and so on; says whether it did.

    The writer keeps its file: it is copied and emptied, and since it was opened for appending, it goes on at the start.
    """
    try:
        if log.stat().st_size <= most_bytes:
            return False
    except OSError:
        return False
    for number in range(kept - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.rename(log.with_name(f"{log.name}.{number + 1}"))
    shutil.copyfile(log, log.with_name(f"{log.name}.1"))
    os.truncate(log, 0)
    return True
