"""`make setup` changes the project's own environment and no other."""

from __future__ import annotations

import re
from pathlib import Path

_MAKEFILE = Path(__file__).parents[2] / "Makefile"


def test_packages_go_into_the_projects_own_environment() -> None:
    filling = [line for line in _MAKEFILE.read_text().splitlines() if re.search(r"uv pip (sync|install)", line)]
    assert len(filling) >= 3
    # uv takes the environment that is active in the caller's shell unless it is told another
    assert [line for line in filling if "--python $(PY)" not in line] == []
