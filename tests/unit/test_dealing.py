"""How tests are dealt to the processes of `make test`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.dealing import group

TESTS = Path(__file__).parents[1]
OVER_AN_INSTALLATION = [
    file for file in sorted(TESTS.rglob("test_*.py")) if re.search(r"[(,] ?shoal_up: ", file.read_text())
]


@pytest.mark.parametrize("file", OVER_AN_INSTALLATION, ids=lambda file: file.stem)
def test_what_needs_a_whole_installation_shares_one(file: Path) -> None:
    assert group(f"{file.relative_to(TESTS.parent)}::test_it[1]") == "installation"


def test_other_servers_start_once_and_what_is_quick_goes_anywhere() -> None:
    jobs = group("tests/acceptance/jobs/test_ends.py::test_a"), group("tests/acceptance/jobs/test_chaos.py::test_b[20]")
    assert len(set(jobs)) == 1
    assert group("tests/contract/test_edge.py::test_a") == group("tests/contract/test_edge.py::test_b[x/y]")
    assert group("tests/unit/test_dealing.py::test_a") != group("tests/unit/test_dealing.py::test_b")
