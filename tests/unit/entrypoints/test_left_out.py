"""What a server must not load, although it is installed beside it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from shoald.entrypoints.left_out import has_rapids

_PROGRAM = """
import sys
from importlib.util import find_spec
assert find_spec("pandas") is not None
from shoald.entrypoints.left_out import leave_out_pandas
leave_out_pandas()
import pyarrow
import sklearn.neighbors
pyarrow.array(["a list"])
try:
    import pandas
except ModuleNotFoundError as error:
    print(error.name, "pandas" in sys.modules)
"""


def test_arrow_and_scikit_learn_do_not_load_pandas_once_it_is_left_out() -> None:
    """Without that they would: the first list is enough, and the first import."""
    output = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["pandas", "False"]


def test_rapids_is_found_by_either_of_its_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_rapids() or find_spec("cuml")
    (tmp_path / "cudf").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert has_rapids()
