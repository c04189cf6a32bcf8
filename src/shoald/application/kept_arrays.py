"""Arrays that are asked for again and never change: the last used, up to a number of bytes together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)

_MOST_BYTES = 64 << 20


class KeptArrays:
    """Keeps arrays by key; one larger than all that may be kept is made each time."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, npt.NDArray[Any]] = OrderedDict()

    def get(self, key: str, make: Callable[[], npt.NDArray[Number]]) -> npt.NDArray[Number]:
        """Return the array of a key, which `make` gives when it is not kept; two callers may both make it."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = make()
        with self._lock:
            self._kept[key] = made
            while sum(kept.nbytes for kept in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)
        return made
