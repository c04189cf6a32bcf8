"""What a server must not load, although it is installed beside it."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from importlib.util import find_spec
assert find_spec("pandas") is not None
from shoald.entrypoints.left_out import leave_out_pandas
leave_out_pandas()
import pyarrow
pyarrow.array(["a list"])
try:
    import pandas
except ModuleNotFoundError as error:
    print(error.name, "pandas" in sys.modules)
"""


def test_arrow_does_not_load_pandas_once_it_is_left_out() -> None:
    """Without that it would: the first list is enough."""
    output = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True).stdout
    assert output.split() == ["pandas", "False"]
