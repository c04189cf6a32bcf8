"""A time goes in; the stretch of a calendar that it falls in, by the clocks of a place, comes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from shoald.domain.histories.times import milliseconds_of, moment
from shoald.domain.platform_words import BucketUnit

_QUARTER_HOUR = 15 * 60 * 1000
_MOST_KNOWN = 50_000
_MONTHS = 12


class Buckets:
    """The stretches of one length by the clocks of a zone: they follow one another without gaps.

    Days, weeks (from Monday), months, quarters and years begin at the first moment of their first day, so that a day
    may have 23 or 25 hours; what clocks that are set back over midnight show again belongs to the day that has begun.
    Hours begin when the clocks say so, and one that comes twice in a night is two. Times are milliseconds since 1970 in
    UTC, of the years 2 to 9998.
    """

    def __init__(self, unit: BucketUnit, zone: ZoneInfo) -> None:
        self._unit = unit
        self._zone = zone
        self._known: dict[int, int] = {}

    def start(self, time: int) -> int:
        """Return the first moment of the stretch that a time falls in; O(1), and quicker for times near others."""
        found = self._known.get(time // _QUARTER_HOUR)
        return self._looked_up(time) if found is None else found

    def end(self, start: int) -> int:
        """Return the first moment after the stretch that begins at `start`."""
        if self._unit is BucketUnit.HOUR:
            return self._hour_end(start)
        local = moment(start).astimezone(self._zone)
        return self._midnight(_NEXT[self._unit](local))

    def before(self, start: int) -> int:
        """Return the first moment of the stretch before the one that begins at `start`."""
        return self.start(start - 1)

    def name(self, start: int) -> str:
        """Return a stretch as people write it.

        >>> Buckets(BucketUnit.WEEK, ZoneInfo("UTC")).name(1715558400000)
        '2024-W20'
        """
        local = moment(start).astimezone(self._zone)
        return _NAMES[self._unit](local)

    def _looked_up(self, time: int) -> int:
        """Compute a start, and keep it for the quarter of an hour unless another stretch begins within that."""
        quarter = time // _QUARTER_HOUR
        first, last = (self._computed(one) for one in (quarter * _QUARTER_HOUR, (quarter + 1) * _QUARTER_HOUR - 1))
        if first != last:
            return self._computed(time)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[quarter] = first
        return first

    def _computed(self, time: int) -> int:
        local = moment(time).astimezone(self._zone)
        if self._unit is BucketUnit.HOUR:
            return self._hour_start(time, local)
        start = self._midnight(_FIRST[self._unit](local))
        end = self.end(start)
        return start if time < end else end

    def _midnight(self, day: datetime) -> int:
        """Return the first moment of a day: where clocks skip it, the moment of the change; of two, the first."""
        return milliseconds_of(datetime(day.year, day.month, day.day, tzinfo=self._zone))

    def _hour_start(self, time: int, local: datetime) -> int:
        into = local.minute * 60_000 + local.second * 1000 + local.microsecond // 1000
        start = time - into
        return start if self._same_clocks(start, time) else self._change(start, time)

    def _hour_end(self, start: int) -> int:
        local = moment(start).astimezone(self._zone)
        into = local.minute * 60_000 + local.second * 1000 + local.microsecond // 1000
        end = start + 3_600_000 - into
        return end if self._same_clocks(start, end - 1) else self._change(start, end)

    def _same_clocks(self, one: int, other: int) -> bool:
        return _offset(moment(one), self._zone) == _offset(moment(other), self._zone)

    def _change(self, low: int, high: int) -> int:
        """Return the first moment of the clocks that hold at `high`, which changed after `low`."""
        wanted = _offset(moment(high), self._zone)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if _offset(moment(middle), self._zone) == wanted else (middle, high)
        return high


def _offset(time: datetime, zone: tzinfo) -> timedelta | None:
    return time.astimezone(zone).utcoffset()


def _month(day: datetime, months: int) -> datetime:
    """Return the first of the month that lies so many months on."""
    number = day.year * _MONTHS + day.month - 1 + months
    return day.replace(year=number // _MONTHS, month=number % _MONTHS + 1, day=1)


def _quarter(day: datetime) -> int:
    return (day.month - 1) // 3


def _week(day: datetime) -> str:
    year, week, _ = day.isocalendar()
    return f"{year:04}-W{week:02}"


def _day_on(day: datetime, days: int) -> datetime:
    return day.replace(tzinfo=None) + timedelta(days=days)  # days of the calendar, however long


_Step = Callable[[datetime], datetime]
_FIRST: dict[BucketUnit, _Step] = {
    BucketUnit.DAY: lambda day: day,
    BucketUnit.WEEK: lambda day: _day_on(day, -day.weekday()),
    BucketUnit.MONTH: lambda day: _month(day, 0),
    BucketUnit.QUARTER: lambda day: _month(day, -((day.month - 1) % 3)),
    BucketUnit.YEAR: lambda day: _month(day, 1 - day.month),
}
_NEXT: dict[BucketUnit, _Step] = {
    BucketUnit.DAY: lambda day: _day_on(day, 1),
    BucketUnit.WEEK: lambda day: _day_on(day, 7),
    BucketUnit.MONTH: lambda day: _month(day, 1),
    BucketUnit.QUARTER: lambda day: _month(day, 3),
    BucketUnit.YEAR: lambda day: _month(day, _MONTHS),
}
_NAMES: dict[BucketUnit, Callable[[datetime], str]] = {
    BucketUnit.HOUR: lambda day: f"{day.replace(tzinfo=None).isoformat()[:13]}{day.isoformat()[19:]}",
    BucketUnit.DAY: lambda day: day.date().isoformat(),
    BucketUnit.WEEK: _week,
    BucketUnit.MONTH: lambda day: day.date().isoformat()[:7],
    BucketUnit.QUARTER: lambda day: f"{day.year:04}-Q{_quarter(day) + 1}",
    BucketUnit.YEAR: lambda day: f"{day.year:04}",
}
