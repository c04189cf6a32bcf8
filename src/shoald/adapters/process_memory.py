"""The memory of this process as Linux counts it."""

from __future__ import annotations

import ctypes
from pathlib import Path

_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"
_KIB = 1024
_NAMES = frozenset({"VmHWM", "RssAnon", "RssFile", "RssShmem"})


class ProcessMemory:
    """`MemoryMeter` by the resident set: its high-water mark is forgotten at the start.

    The kernel keeps no such mark for private pages alone; mapped files are taken off as they stand at the end.
    """

    def __init__(self) -> None:
        self._before: dict[str, int] | None = None
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # the GNU C library has it

    def start(self) -> None:
        """Forget the high-water mark."""
        self.give_back()
        try:
            _FORGET.write_text(_FORGET_PEAK)
            self._before = _counted()
        except OSError:
            self._before = None  # no Linux, or a container that does not let us

    def peak_bytes(self) -> int | None:
        """Return the high-water mark beside what was held at the start."""
        if self._before is None:
            return None
        now = _counted()
        # files in a file system of memory are counted apart
        files = max(one["RssFile"] + one["RssShmem"] for one in (self._before, now))
        return max(0, now["VmHWM"] - files - self._before["RssAnon"])

    def give_back(self) -> None:
        """Trim the heap: freed arrays of less than 32 MiB stay in it."""
        if self._trim is not None:
            self._trim(0)


def _counted() -> dict[str, int]:
    """Return the figures in bytes; raises `OSError` where there are none."""
    pairs = (line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return {name: int(rest.split()[0]) * _KIB for name, rest in pairs if name in _NAMES}
