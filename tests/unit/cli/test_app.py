from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from shoald.cli.app import COMMANDS

HEAVY = ("numpy", "grpc", "sqlalchemy", "pydantic_settings", "redis", "psycopg", "rich")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_where_the_table_says(command: str) -> None:
    module, _, function = COMMANDS[command].partition(":")
    assert callable(getattr(import_module(module), function))


@pytest.mark.parametrize("command", ["status", "down"])
def test_a_command_that_only_looks_loads_nothing_heavy(command: str, tmp_path: Path) -> None:
    script = (
        "import sys\nfrom shoald.cli.app import main\n"
        f"try: main([{command!r}, '--data', {str(tmp_path)!r}])\nexcept SystemExit: pass\n"
        f"print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "loaded: []" in done.stdout


def test_help_lists_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "shoald", "--help"], capture_output=True, text=True, check=True)
    for command in COMMANDS:
        assert f" {command} " in done.stdout
