"""Arrays that are asked for again and never change: the last used, up to a number of bytes together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Weighed(Protocol):
    """An array, or what holds some."""

    @property
    def nbytes(self) -> int:
        """The bytes that it takes."""
        ...


Held = TypeVar("Held", bound=Weighed)

_MOST_BYTES = 64 << 20


class KeptArrays:
    """Keeps arrays, or what holds some, by key; one larger than all that may be kept is made each time."""

    def __init__(self, *, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], Held]) -> Held:
        """Return what is kept under a key, or what `make` gives; two callers may both make it."""
        with self._lock:
            found: Held | None = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        made = make()
        if made.nbytes <= self._most_bytes:
            self._keep(key, made)
        return made

    def _keep(self, key: str, made: Weighed) -> None:
        with self._lock:
            self._kept[key] = made
            while sum(kept.nbytes for kept in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)
