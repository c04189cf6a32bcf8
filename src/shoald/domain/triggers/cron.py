"""Cron expressions of five fields: text goes in, the moments at which they come round in a time zone come out.

A local time that a change of the clocks leaves out, and one that it brings twice, each count once: the first as the
moment at which the clocks jump, the second when it comes first. Where every hour is meant (an hour field that begins
with `*`) real time counts instead, so that such a schedule neither pauses nor runs twice as often as it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)
_SUNDAY_AGAIN = 7
_MOST_DAYS = 366 * 9
"""How far a day is looked for: 29 February comes after at most eight years, around 2100."""
_MOST_SHIFT = timedelta(hours=26)
"""More than any clock was ever set back or forth at once."""
_HOURS_LOOKED_ON = 4
_SPANS = tuple(timedelta(days=days) for days in (1 / 24, 1, 40, 400, 400 * 9))


class CronError(ValueError):
    """The text is no cron expression."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    first_word: int = 0


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of week", 0, _SUNDAY_AGAIN, _DAYS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """When a cron expression comes round, by the clocks of no place in particular.

    Days of the week count from Sunday, 0. Where both a day of the month and one of the week are restricted, a day that
    meets one of them is meant, as cron has it.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    every_hour: bool

    def matches(self, day: date) -> bool:
        """Say whether the expression means this day."""
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_month or by_week if self.either_day else by_month and by_week

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first moment later than this one, in UTC; None where there is none in nine years.

        Costs tens of microseconds for what comes every day, less than a millisecond for what comes every few years.

        >>> from datetime import UTC, datetime
        >>> from zoneinfo import ZoneInfo
        >>> at = datetime(2026, 3, 8, 0, 0, tzinfo=UTC)
        >>> parse_cron("30 2 * * *").next_after(at, ZoneInfo("America/New_York")).isoformat()
        '2026-03-08T07:00:00+00:00'
        """
        moment = moment.astimezone(UTC)
        first = (moment.astimezone(zone) - _MOST_SHIFT).date()
        days = (first + timedelta(days=ahead) for ahead in range(_MOST_DAYS))
        hours = ((day, hour) for day in days if self.matches(day) for hour in self.hours)
        for day, hour in hours:
            found = [at for at in self._moments(day, hour, zone, moment) if at > moment]
            if found:
                # an hour that the clocks bring twice ends later than the hours behind it begin
                following = (self._moments(day, hour + more, zone, moment) for more in range(1, _HOURS_LOOKED_ON))
                return min([*found, *(at for moments in following for at in moments if at > moment)])
        return None

    def last_until(self, moment: datetime, zone: ZoneInfo, *, since: datetime) -> datetime:
        """Return the last moment that is not later than this one; `since` is one of them, and not later either.

        Looks back over longer and longer spans, so that a short pause costs little and a long one not much more.
        """
        for span in _SPANS:
            start = max(moment - span, since)
            last = start if start == since else self.next_after(start, zone)
            if last is not None and last <= moment:
                break
        while (following := self.next_after(last or since, zone)) is not None and following <= moment:
            last = following
        return last or since

    def _moments(self, day: date, hour: int, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Yield the moments of one hour of a day, if any of them can be later than a moment."""
        if hour not in self.hours:
            return
        last = datetime.combine(day, time(hour, 59))
        if all(last.replace(tzinfo=zone, fold=fold).astimezone(UTC) <= after for fold in (0, 1)):
            return
        for minute in self.minutes:
            yield from _moments_of(datetime.combine(day, time(hour, minute)), zone, real=self.every_hour)


def _moments_of(local: datetime, zone: ZoneInfo, *, real: bool) -> Iterator[datetime]:
    """Yield when the clocks of a place show a time: once, but for the two days on which they are set.

    With `real`, never where they do not show it, and twice where they show it twice.
    """
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    is_shown = early.astimezone(zone).replace(tzinfo=None) == local
    if not is_shown:
        if not real:
            yield _jump(late, early, zone)
        return
    yield early
    if real and late != early:
        yield late


def _jump(before: datetime, behind: datetime, zone: ZoneInfo) -> datetime:
    """Return the moment between two at which the clocks of a place are set forth, to the second."""
    offset = before.astimezone(zone).utcoffset()
    while behind - before > timedelta(seconds=1):
        middle = before + (behind - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            behind = middle
    return (behind + timedelta(microseconds=999_999)).replace(microsecond=0) if behind.microsecond else behind


def parse_cron(text: str) -> Cron:
    """Return what a cron expression of five fields means; raises `CronError` that says what is wrong.

    >>> parse_cron("*/20 9-17 * * mon-fri").minutes
    (0, 20, 40)
    """
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise CronError(f"a cron expression has five fields, this one has {len(parts)}")
    minutes, hours, days, months, weekdays = (_values(field, part) for field, part in zip(_FIELDS, parts, strict=True))
    found = Cron(
        minutes=tuple(sorted(minutes)),
        hours=tuple(sorted(hours)),
        days=days,
        months=months,
        weekdays=frozenset(day % _SUNDAY_AGAIN for day in weekdays),
        either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
        every_hour=parts[1].startswith("*"),
    )
    if not any(found.matches(date(2024, 1, 1) + timedelta(days=days)) for days in range(_MOST_DAYS)):
        raise CronError("there is no such day in any year")
    return found


def _values(field: _Field, text: str) -> frozenset[int]:
    return frozenset(value for part in text.lower().split(",") for value in _part(field, part))


def _part(field: _Field, text: str) -> range:
    found = _PART.fullmatch(text)
    if found is None:
        raise CronError(f"{text!r} is no {field.name}")
    star, first, last, step = found.groups()
    if step is not None and int(step) == 0:
        raise CronError(f"{text!r}: a step is at least 1")
    low = field.least if star else _number(field, first)
    if star:
        high = field.most
    elif last is not None:
        high = _number(field, last)
    else:
        high = field.most if step is not None else low
    if low > high:
        raise CronError(f"{text!r}: a range goes from the lower to the higher {field.name}")
    return range(low, high + 1, int(step or 1))


def _number(field: _Field, text: str) -> int:
    if text in field.words:
        return field.words.index(text) + field.first_word
    if not (text.isascii() and text.isdecimal() and field.least <= int(text) <= field.most):
        raise CronError(f"{text!r} is no {field.name}: {field.least} to {field.most}")
    return int(text)
