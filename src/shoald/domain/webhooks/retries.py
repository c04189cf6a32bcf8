"""When a delivery that failed is tried again: eleven tries within a day, then it is given up."""

from __future__ import annotations

from datetime import timedelta

_SECOND, _MINUTE, _HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

WAITS = (
    5 * _SECOND,
    30 * _SECOND,
    2 * _MINUTE,
    10 * _MINUTE,
    30 * _MINUTE,
    1 * _HOUR,
    2 * _HOUR,
    4 * _HOUR,
    8 * _HOUR,
    8 * _HOUR,
)
"""The wait after the first, second, … failed try: 23 hours 42 minutes in all."""

LONGEST = timedelta(days=1)
"""From the first try to the last one, whatever the receiver asks for."""
_SPREAD = 0.1
_BREATHER = (timedelta(0), timedelta(0), 2 * _SECOND, 10 * _SECOND, 30 * _SECOND, 2 * _MINUTE)


def wait_after(
    tries: int, *, passed: timedelta = timedelta(0), retry_after: timedelta | None = None, chance: float = 0.0
) -> timedelta | None:
    """Return how long to wait after this many tries have failed; None means that the delivery is given up.

    `passed` is the time since the first of them: no wait goes on beyond a day after it, and a try that fails then was
    the last. `retry_after` is what the receiver asked for: it is waited at least. `chance` (0 to 1) spreads the waits
    of many by up to a tenth, so that a receiver that was away does not get them all at one moment.

    >>> wait_after(1), wait_after(1, retry_after=timedelta(minutes=7)), wait_after(11)
    (datetime.timedelta(seconds=5), datetime.timedelta(seconds=420), None)
    >>> wait_after(2, passed=timedelta(hours=23), retry_after=timedelta(days=1))
    datetime.timedelta(seconds=3600)
    """
    left = LONGEST - max(passed, timedelta(0))
    if tries > len(WAITS) or left <= timedelta(0):
        return None
    wait = WAITS[max(tries, 1) - 1] * (1 + _SPREAD * chance)
    return min(max(wait, retry_after or timedelta(0)), left)


def breather_after(failures: int) -> timedelta:
    """Return how long a channel gets nothing at all after this many failed tries in a row, whichever their deliveries.

    Other deliveries go on at once after one or two failures; a receiver that is away is asked every two minutes.

    >>> breather_after(1), breather_after(3), breather_after(50)
    (datetime.timedelta(0), datetime.timedelta(seconds=10), datetime.timedelta(seconds=120))
    """
    return _BREATHER[min(failures, len(_BREATHER) - 1)]
