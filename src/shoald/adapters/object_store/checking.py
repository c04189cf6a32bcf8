"""Compares a file with the SHA-256 that was recorded when it was written."""

from __future__ import annotations

import hashlib
from pathlib import Path

from shoald.domain.failures import DataCorrupt


def check_file(path: Path, sha256: str) -> None:
    """Raise `DataCorrupt` when the file's bytes are not those that have this hash."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise DataCorrupt(detail={"object": path.name, "expected_sha256": sha256, "found_sha256": found})
