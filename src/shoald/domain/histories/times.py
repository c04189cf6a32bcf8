"""A value of a document goes in; the time that it says, in milliseconds since 1970 in UTC, comes out."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from shoald.domain.platform_words import NumberUnit

MOST_SECONDS = 1e11
"""Numbers of this size and more are milliseconds: seconds would be years after 5138, milliseconds begin in 1973."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# a year on either side is left for the zone and for the ends of buckets
_EARLIEST = (datetime(2, 1, 1, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_LATEST = (datetime(9998, 12, 31, tzinfo=UTC) - _EPOCH) // _MILLISECOND
_TEXT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?\s?(?:([Zz])|([+-])(\d\d):?(\d\d))?)?",
    re.ASCII,
)
_DIGITS = re.compile(r"-?(?:\d{10}|\d{13})", re.ASCII)
_LEAP = 60
_MOST_NUMBER = 1e15


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads times: what has no offset is a time of the `zone`; `unit` is what numbers count, None: by their size."""

    zone: ZoneInfo
    unit: NumberUnit | None = None

    def read(self, value: Any) -> int | None:
        """Return the time that a value says, None for one that is no time of the years 2 to 9998.

        >>> TimeReader(ZoneInfo("Europe/Berlin")).read("2024-05-17"), TimeReader(ZoneInfo("UTC")).read(1715896800)
        (1715896800000, 1715896800000)
        """
        if isinstance(value, bool):
            return None
        if isinstance(value, str):
            found = self._number(int(value)) if _DIGITS.fullmatch(value) else self._text(value.strip())
        elif isinstance(value, (int, float)) and abs(value) < _MOST_NUMBER:  # false for NaN, too
            found = self._number(value)
        else:
            return None
        return found if found is not None and _EARLIEST <= found <= _LATEST else None

    def _number(self, value: float) -> int:
        unit = self.unit or (NumberUnit.SECONDS if abs(value) < MOST_SECONDS else NumberUnit.MILLISECONDS)
        return math.floor(value * 1000 if unit is NumberUnit.SECONDS else value)

    def _text(self, text: str) -> int | None:
        match = _TEXT.fullmatch(text)
        if match is None:
            return None
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
        leap = second == _LEAP  # RFC 3339 has them; clocks that computers read have not
        try:
            local = datetime(year, month, day, hour, minute, second - leap, tzinfo=self._offset(match))
            whole = (local.astimezone(UTC) - _EPOCH) // _MILLISECOND
        except (ValueError, OverflowError):
            return None
        return whole + 1000 * leap + int((match[7] or "0").ljust(3, "0")[:3])

    def _offset(self, match: re.Match[str]) -> timezone | ZoneInfo:
        if match[8]:
            return UTC
        if match[9] is None:
            return self.zone
        offset = timedelta(hours=int(match[10]), minutes=int(match[11]))
        return timezone(-offset if match[9] == "-" else offset)


def moment(milliseconds: int) -> datetime:
    """Return a time in milliseconds since 1970 as one in UTC.

    >>> moment(-1).isoformat()
    '1969-12-31T23:59:59.999000+00:00'
    """
    return _EPOCH + milliseconds * _MILLISECOND


def milliseconds_of(time: datetime) -> int:
    """Return a time that knows its offset in whole milliseconds since 1970."""
    return (time - _EPOCH) // _MILLISECOND
