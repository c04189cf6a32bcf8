"""Sets a process's wall clock wrong, for as many seconds as `TRIAL_CLOCK_SHIFT` says."""

from __future__ import annotations

import datetime as dt
import os
import time

_right_time = time.time
_RightDatetime = dt.datetime


def set_wrong_clock() -> None:
    """Shift what `time.time` and `datetime.now` say, in every module that is imported from now on."""
    shift = float(os.environ.get("TRIAL_CLOCK_SHIFT", "0"))
    if not shift:
        return

    class WrongDatetime(_RightDatetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> WrongDatetime:
            return cls.fromtimestamp(_right_time() + shift, tz)

    time.time = lambda: _right_time() + shift
    dt.datetime = WrongDatetime  # type: ignore[misc] # that is the point
