"""What `make setup` compiles."""

from __future__ import annotations

import sys
from importlib.util import cache_from_source
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))  # the tools are scripts, in no package that is installed
from tools.compile_bytecode import compile_files, sources


def test_modules_of_packages_are_compiled_without_their_tests() -> None:
    found = [file.as_posix() for file in sources([], ["numpy", "no-such-package"])]
    assert any(file.endswith("numpy/linalg/_linalg.py") for file in found)
    assert not [file for file in found if "/tests/" in file]


def test_own_modules_are_compiled_and_what_is_no_python_is_left(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    good, bad = tmp_path / "inner" / "good.py", tmp_path / "template.py"
    good.write_text("ANSWER = 42\n")
    bad.write_text("{{ name }} = what\n")

    compile_files(sorted(sources([tmp_path], [])))

    assert Path(cache_from_source(str(good))).is_file()
    assert not Path(cache_from_source(str(bad))).exists()
