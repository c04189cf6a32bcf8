"""Packages that libraries load where they happen to be installed, kept out of processes that have no use for them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class _LeftOut(MetaPathFinder):
    """Finds nothing by these names, and lets nobody else find it."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise for a name that is left out."""
        del path, target
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)
        return None


def leave_out_pandas() -> None:
    """Have this process find no pandas.

    Arrow imports it to see whether what it is given is a column of it, scikit-learn at once: who waits would wait half
    a second longer, and the process grow by 40 MB. Not for processes that compute on a GPU: RAPIDS needs it.
    """
    sys.meta_path.insert(0, _LeftOut(["pandas"]))


def has_rapids() -> bool:
    """Say whether what computes on a GPU is installed; nothing is imported."""
    return any(find_spec(name) is not None for name in ("cuml", "cudf"))
