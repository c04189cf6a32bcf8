"""The memory of this process as Linux counts it."""

from __future__ import annotations

from pathlib import Path

_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"
_KIB = 1024


class ProcessMemory:
    """`MemoryMeter` by the resident set: its high-water mark is forgotten at the start."""

    def __init__(self) -> None:
        self._before: int | None = None

    def start(self) -> None:
        """Forget the high-water mark."""
        try:
            _FORGET.write_text(_FORGET_PEAK)
            self._before = _counted("VmRSS")
        except OSError:
            self._before = None  # no Linux, or a container that does not let us

    def peak_bytes(self) -> int | None:
        """Return the high-water mark beside what was held at the start."""
        if self._before is None:
            return None
        peak = _counted("VmHWM")
        return None if peak is None else max(0, peak - self._before)


def _counted(name: str) -> int | None:
    for line in _STATUS.read_text().splitlines():
        word, _, rest = line.partition(":")
        if word == name:
            return int(rest.split()[0]) * _KIB
    return None
