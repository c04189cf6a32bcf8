"""Tells whoever supervises this process that it is ready for work."""

from __future__ import annotations

import os
from pathlib import Path


def tell_ready(ready_file: Path | None) -> None:
    """Write the file that `SHOAL_READY_FILE` names, if it names one; call it once, when work can be taken."""
    if ready_file is not None:
        ready_file.write_text(f"{os.getpid()}\n")
