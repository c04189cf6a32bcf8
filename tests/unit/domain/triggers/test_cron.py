"""Cron expressions by the clocks of places whose clocks are set twice a year, by other amounts, or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoald.domain.triggers.cron import CronError, parse_cron

NEW_YORK = ZoneInfo("America/New_York")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # its clocks are set by half an hour


def slots(expression: str, start: datetime, zone: ZoneInfo, number: int) -> list[str]:
    cron, found, at = parse_cron(expression), [], start
    for _ in range(number):
        following = cron.next_after(at, zone)
        assert following is not None
        assert following > at
        at = following
        found.append(at.astimezone(zone).strftime("%d %H:%M %z"))
    return found


def test_a_time_that_is_left_out_counts_as_the_moment_of_the_change() -> None:
    start = datetime(2026, 3, 7, 12, tzinfo=UTC)
    assert slots("30 2 * * *", start, NEW_YORK, 2) == ["08 03:00 -0400", "09 02:30 -0400"]
    # several of them are one
    assert slots("*/15 2 * * *", start, NEW_YORK, 2) == ["08 03:00 -0400", "09 02:00 -0400"]
    assert slots("0 2,3 * * *", start, NEW_YORK, 2) == ["08 03:00 -0400", "09 02:00 -0400"]


def test_a_time_that_comes_twice_counts_once_when_it_comes_first() -> None:
    start = datetime(2026, 11, 1, 0, tzinfo=UTC)
    assert slots("30 1 * * *", start, NEW_YORK, 2) == ["01 01:30 -0400", "02 01:30 -0500"]


def test_where_every_hour_is_meant_real_time_counts() -> None:
    autumn = datetime(2026, 11, 1, 4, 30, tzinfo=UTC)
    assert slots("0 * * * *", autumn, NEW_YORK, 3) == ["01 01:00 -0400", "01 01:00 -0500", "01 02:00 -0500"]
    spring = datetime(2026, 3, 8, 5, 30, tzinfo=UTC)
    assert slots("30 * * * *", spring, NEW_YORK, 2) == ["08 01:30 -0500", "08 03:30 -0400"]
    half = datetime(2026, 4, 4, 14, tzinfo=UTC)
    assert slots("45 * * * *", half, LORD_HOWE, 3) == ["05 01:45 +1100", "05 01:45 +1030", "05 02:45 +1030"]


def test_a_clock_that_is_set_by_half_an_hour() -> None:
    assert slots("45 1 * * *", datetime(2026, 4, 4, 0, tzinfo=UTC), LORD_HOWE, 2) == [
        "05 01:45 +1100",
        "06 01:45 +1030",
    ]
    assert slots("15 2 * * *", datetime(2026, 10, 3, 0, tzinfo=UTC), LORD_HOWE, 2) == [
        "04 02:30 +1100",
        "05 02:15 +1100",
    ]


def test_a_day_that_a_place_left_out() -> None:
    apia = ZoneInfo("Pacific/Apia")  # there was no 30 December 2011
    found = slots("0 12 * * *", datetime(2011, 12, 29, 0, tzinfo=UTC), apia, 3)
    assert found == ["29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 31 * *", "2026-01-31T00:00"),
        ("0 0 13 * fri", "2026-01-02T00:00"),  # either day, as cron has it
        ("0 0 * * 7", "2026-01-04T00:00"),
        ("0 0 1-10/3 jun *", "2026-06-01T00:00"),
        ("59 23 31 12 *", "2026-12-31T23:59"),
        ("5/20 8-10 * * mon-fri", "2026-01-01T08:05"),
    ],
)
def test_days_and_lists(expression: str, expected: str) -> None:
    found = parse_cron(expression).next_after(datetime(2026, 1, 1, tzinfo=UTC), ZoneInfo("UTC"))
    assert found is not None
    assert found.isoformat()[:16] == expected


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "1,,2 * * * *",
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "- * * * *",
        "٣ * * * *",
        "@daily",
    ],
)
def test_what_is_no_expression(expression: str) -> None:
    with pytest.raises(CronError):
        parse_cron(expression)


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "7,31", "*/15", "30", "0-59/17"]),
    st.sampled_from(["*", "2", "1,2,3", "*/2", "0", "23", "1-4"]),
    st.sampled_from(["*", "*", "1", "8,15", "29-31"]),
    st.sampled_from(["*", "*", "3,11", "4,10"]),
    st.sampled_from(["*", "*", "sun", "mon-fri"]),
).map(" ".join)
MOMENTS = st.integers(0, 3 * 365 * 86_400).map(
    lambda seconds: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"])


@settings(max_examples=60, deadline=None)
@given(FIELDS, MOMENTS, ZONES)
def test_each_slot_follows_the_one_before_and_none_is_left_out(text: str, start: datetime, zone_name: str) -> None:
    cron, zone = parse_cron(text), ZoneInfo(zone_name)
    first = cron.next_after(start, zone)
    assert first is not None
    second = cron.next_after(first, zone)
    assert second is not None
    assert start < first < second
    # looked for from anywhere between, the next one is the same
    assert cron.next_after(first - timedelta(microseconds=1), zone) == first
    assert cron.next_after(first + (second - first) / 2, zone) in {second, cron.next_after(second, zone)}
    assert cron.next_after(second - timedelta(microseconds=1), zone) == second
    local = first.astimezone(zone)
    is_shown = local.minute in cron.minutes and local.hour in cron.hours and cron.matches(local.date())
    is_jump = zone.utcoffset(local.replace(tzinfo=None)) != (first - timedelta(seconds=1)).astimezone(zone).utcoffset()
    assert is_shown or is_jump


@settings(max_examples=40, deadline=None)
@given(FIELDS, MOMENTS, ZONES, st.timedeltas(timedelta(), timedelta(days=3)))
def test_the_last_slot_is_the_one_before_the_next(text: str, start: datetime, zone_name: str, later: timedelta) -> None:
    cron, zone = parse_cron(text), ZoneInfo(zone_name)
    due = cron.next_after(start, zone)
    assert due is not None
    last = cron.last_until(due + later, zone, since=due)
    following = cron.next_after(last, zone)
    assert following is not None
    assert due <= last <= due + later < following
