"""Buckets, counts, news and drift are what looking at each moment, and at each document, would find."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.clustering.drift import RunGroups, drift_between, linked_through
from shoald.domain.clustering.lineage import Fate
from shoald.domain.histories.buckets import Buckets
from shoald.domain.histories.group_counts import GroupCounts, GroupLine
from shoald.domain.histories.news import News
from shoald.domain.histories.times import TimeReader, milliseconds_of, moment
from shoald.domain.platform_words import BucketUnit, NumberUnit
from shoald.domain.records.cluster import NOISE_CENTROID

# with half an hour of summer time, quarters of an hour, changes at midnight and a minute after, a day that never was
ZONES: tuple[str, ...] = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
)
ZONES += ("America/St_Johns", "Pacific/Apia", "America/Havana", "Africa/Monrovia", "Asia/Gaza")
TIMES = st.integers(
    milliseconds_of(datetime(1900, 1, 1, tzinfo=UTC)), milliseconds_of(datetime(2060, 1, 1, tzinfo=UTC))
)
HOUR = 3_600_000


def first_day(day: date, unit: BucketUnit) -> date:
    """The first day of a stretch, by the plain calendar."""
    found = {
        BucketUnit.DAY: day,
        BucketUnit.WEEK: day - timedelta(days=day.weekday()),
        BucketUnit.MONTH: day.replace(day=1),
        BucketUnit.QUARTER: date(day.year, (day.month - 1) // 3 * 3 + 1, 1),
        BucketUnit.YEAR: date(day.year, 1, 1),
    }
    return found[unit]


@given(TIMES, st.sampled_from(list(BucketUnit)), st.sampled_from(ZONES))
def test_a_time_lies_in_its_stretch_and_stretches_follow_one_another(time: int, unit: BucketUnit, zone: str) -> None:
    buckets = Buckets(unit, ZoneInfo(zone))
    start = buckets.start(time)
    end = buckets.end(start)
    assert start <= time < end
    assert buckets.start(start) == buckets.start(end - 1) == start
    assert buckets.start(end) == end
    assert buckets.before(end) == start


@given(TIMES, st.sampled_from([unit for unit in BucketUnit if unit is not BucketUnit.HOUR]), st.sampled_from(ZONES))
def test_a_stretch_begins_with_the_first_moment_of_its_first_day(time: int, unit: BucketUnit, zone: str) -> None:
    place = ZoneInfo(zone)
    start = Buckets(unit, place).start(time)
    began, before = moment(start).astimezone(place), moment(start - 1).astimezone(place)
    assert first_day(began.date(), unit) != first_day(before.date(), unit)
    local = moment(time).astimezone(place)
    shown_again = local.date() < began.date()  # clocks set back over midnight
    assert shown_again or first_day(local.date(), unit) == first_day(began.date(), unit)


@given(TIMES, st.sampled_from(ZONES))
def test_an_hour_is_one_hour_of_the_clocks(time: int, zone: str) -> None:
    place = ZoneInfo(zone)
    buckets = Buckets(BucketUnit.HOUR, place)
    start = buckets.start(time)
    there, began = moment(time).astimezone(place), moment(start).astimezone(place)
    assert (there.replace(tzinfo=None), there.utcoffset()) >= (began.replace(tzinfo=None), began.utcoffset())
    assert there.hour == began.hour
    assert buckets.end(start) - start <= HOUR


@given(TIMES, st.lists(st.integers(0, 20_000_000), max_size=30), st.sampled_from(ZONES))
def test_what_is_remembered_changes_nothing(time: int, steps: list[int], zone: str) -> None:
    for unit in (BucketUnit.HOUR, BucketUnit.DAY):
        known = Buckets(unit, ZoneInfo(zone))
        for step in steps:
            assert known.start(time + step) == Buckets(unit, ZoneInfo(zone)).start(time + step)


@pytest.mark.parametrize(
    ("zone", "unit", "time", "name", "hours"),
    [
        ("Europe/Berlin", BucketUnit.DAY, "2024-03-31T12:00:00+00:00", "2024-03-31", 23),
        ("Europe/Berlin", BucketUnit.DAY, "2024-10-27T12:00:00+00:00", "2024-10-27", 25),
        ("Europe/Berlin", BucketUnit.DAY, "2024-05-16T22:30:00+00:00", "2024-05-17", 24),
        ("Europe/Berlin", BucketUnit.WEEK, "2024-12-30T00:00:00+00:00", "2025-W01", 168),
        ("Europe/Berlin", BucketUnit.QUARTER, "2024-02-29T00:00:00+00:00", "2024-Q1", 31 * 24 + 29 * 24 + 31 * 24 - 1),
        ("Europe/Berlin", BucketUnit.HOUR, "2024-10-27T00:30:00+00:00", "2024-10-27T02+02:00", 1),
        ("Europe/Berlin", BucketUnit.HOUR, "2024-10-27T01:30:00+00:00", "2024-10-27T02+01:00", 1),
        ("Asia/Kathmandu", BucketUnit.HOUR, "2024-05-17T00:10:00+00:00", "2024-05-17T05+05:45", 1),
        ("America/Sao_Paulo", BucketUnit.DAY, "2018-11-04T12:00:00+00:00", "2018-11-04", 23),
        ("Pacific/Apia", BucketUnit.MONTH, "2011-12-05T12:00:00+00:00", "2011-12", 30 * 24),
        ("UTC", BucketUnit.YEAR, "2024-05-17T00:00:00+00:00", "2024", 366 * 24),
    ],
)
def test_stretches_are_named_and_are_as_long_as_the_clocks_make_them(
    zone: str, unit: BucketUnit, time: str, name: str, hours: int
) -> None:
    buckets = Buckets(unit, ZoneInfo(zone))
    start = buckets.start(milliseconds_of(datetime.fromisoformat(time)))
    assert (buckets.name(start), (buckets.end(start) - start) / HOUR) == (name, hours)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-05-17T09:30:00Z", "2024-05-17T09:30:00+00:00"),
        ("2024-05-17t09:30:00.123456z", "2024-05-17T09:30:00.123000+00:00"),
        ("2024-05-17T09:30:00+02:00", "2024-05-17T07:30:00+00:00"),
        ("2024-05-17 09:30:00-0430", "2024-05-17T14:00:00+00:00"),
        ("2024-05-17T09:30", "2024-05-17T07:30:00+00:00"),
        ("2024-05-17", "2024-05-16T22:00:00+00:00"),
        (" 2024-01-17 ", "2024-01-16T23:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        (1715938200, "2024-05-17T09:30:00+00:00"),
        (1715938200.25, "2024-05-17T09:30:00.250000+00:00"),
        (1715938200000, "2024-05-17T09:30:00+00:00"),
        ("1715938200", "2024-05-17T09:30:00+00:00"),
        ("1715938200000", "2024-05-17T09:30:00+00:00"),
        (-86400, "1969-12-31T00:00:00+00:00"),
        (0, "1970-01-01T00:00:00+00:00"),
    ],
)
def test_a_time_is_read(value: object, expected: str) -> None:
    found = TimeReader(ZoneInfo("Europe/Berlin")).read(value)
    assert found is not None
    assert moment(found).isoformat() == expected


NO_TIMES: tuple[object, ...] = (
    "",
    "soon",
    "2024-13-01",
    "2024-02-30",
    "2024-05-17T25:00:00Z",
    "17.05.2024",
    "20240517",
)
NO_TIMES += ("2024", True, None, [], {}, float("nan"), float("inf"), 1e30, 10**400, "0001-01-01")
NO_TIMES += ("9999-12-31T23:59:59-12:00", "2024-05-17T09:30:00+99:99", "\u0662024-05-17")


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: repr(value)[:30])
def test_what_is_no_time_is_not_read(value: object) -> None:
    assert TimeReader(ZoneInfo("Europe/Berlin")).read(value) is None


def test_a_unit_that_is_said_is_taken_at_its_word() -> None:
    utc = ZoneInfo("UTC")
    assert TimeReader(utc, NumberUnit.MILLISECONDS).read(1000) == 1000
    assert TimeReader(utc, NumberUnit.SECONDS).read(10**11) == 10**14
    assert TimeReader(utc, NumberUnit.SECONDS).read("1715938200") == 1715938200000


@given(TIMES)
def test_what_rfc_3339_writes_is_read_back(time: int) -> None:
    assert TimeReader(ZoneInfo("Asia/Gaza")).read(moment(time).isoformat()) == time


# groups: 0 and 1 on the first level, 2 and 3 below 0, noise
LINES = {
    "cl_0": GroupLine("cl_0", "zero", 0, 0, ("cl_0",)),
    "cl_1": GroupLine("cl_1", "one", 0, 0, ("cl_1",)),
    "cl_0_sub_0": GroupLine("cl_0_sub_0", None, 1, 0, ("cl_0_sub_0", "cl_0")),
    "cl_0_sub_1": GroupLine("cl_0_sub_1", None, 1, 0, ("cl_0_sub_1", "cl_0")),
    NOISE_CENTROID: GroupLine(NOISE_CENTROID, "noise", 0, 0, (NOISE_CENTROID,)),
}
WORDS = ("cl_0", "cl_1", "cl_0_sub_0", "cl_0_sub_1", "-1")
MEMBERS = st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 60)), max_size=60)
DAY = 24 * HOUR


def lineage(word: str) -> tuple[str, ...]:
    return LINES[NOISE_CENTROID if word == "-1" else word].lineage


@given(MEMBERS)
def test_counts_are_those_of_looking_at_each_member(members: list[tuple[str, int]]) -> None:
    counts = GroupCounts(Buckets(BucketUnit.DAY, ZoneInfo("UTC")))
    for word, day in members:
        counts.add(word, day * DAY + 5)
    rows = counts.rows(LINES)
    assert rows is not None
    last = max((day for _, day in members), default=0)
    days_of = {group: Counter(day for word, day in members if group in lineage(word)) for group in LINES}
    expected = {
        (group, day): (days[day], days[day] - days[day - 1], sum(n for one, n in days.items() if one <= day))
        for group, days in days_of.items()
        for day in range(last + 1)
        if days[day] or days[day - 1]
    }
    found = {(row.group.cluster_id, row.starts_at // DAY): (row.documents, row.change, row.total) for row in rows}
    assert found == expected
    assert len(rows) == len(found)
    for row in rows:
        of_day = sum(1 for _, day in members if day == row.starts_at // DAY)
        assert row.share == (row.documents / of_day if row.documents else 0)
    order = [(list(LINES).index(row.group.cluster_id), row.starts_at) for row in rows]
    assert order == sorted(order)


def test_a_history_of_too_many_rows_is_none() -> None:
    counts = GroupCounts(Buckets(BucketUnit.DAY, ZoneInfo("UTC")), most=3)
    for day in range(3):
        counts.add("cl_1", day * DAY)
    assert len(counts.rows(LINES) or ()) == 3
    counts.add("cl_0_sub_0", 0)  # its own row, one for the group above, and one more for each to say that it fell
    assert counts.rows(LINES) is None


@given(MEMBERS, st.sampled_from([None, "cl_0", "cl_0_sub_1", NOISE_CENTROID]), st.integers(1, 5))
def test_news_are_the_newest_of_all(members: list[tuple[str, int]], group: str | None, most: int) -> None:
    news = News(since=0, group=group, lines=LINES, most=most)
    named = [(word, time, ("col", f"d{at:03}")) for at, (word, time) in enumerate(members)]
    for word, time, name in named:
        news.add(word, time, name)
    mine = [one for one in named if group is None or group in lineage(one[0])]
    expected = [name[1] for _, _, name in sorted(mine, key=lambda one: (-one[1], one[2]))]
    assert [one.document_id for one in news.listed()] == expected[:most]
    assert news.total == len(members)
    counted = Counter(one for word, _ in members for one in lineage(word))
    assert {line.cluster_id: count for line, count in news.by_group()} == dict(counted)


PLACES = st.dictionaries(st.integers(0, 30), st.sampled_from(WORDS), max_size=31)
GROUPS = tuple(word for word in LINES if word != NOISE_CENTROID)
LINKS = st.sets(st.tuples(st.sampled_from(GROUPS), st.sampled_from(GROUPS)), max_size=6)


def run_of(places: dict[int, str], seed: int) -> RunGroups:
    random = np.random.default_rng(seed)
    return RunGroups(
        lines=LINES,
        centroids={word: random.standard_normal(4).astype(np.float32) for word in GROUPS},
        keys=np.array([f"d{one}".encode() for one in places], dtype="S4"),
        groups=np.array([WORDS.index(word) for word in places.values()], dtype=np.int32),
        words=WORDS,
    )


@given(PLACES, PLACES, LINKS)
def test_drift_is_what_comparing_each_member_finds(
    then: dict[int, str], now: dict[int, str], links: set[tuple[str, str]]
) -> None:
    before, after = run_of(then, 0), run_of(now, 1)
    drift = drift_between(before, after, links)
    both = [one for one in then if one in now]
    assert (drift.in_both, drift.new, drift.gone) == (len(both), len(now) - len(both), len(then) - len(both))
    assert drift.moved == sum(then[one] != now[one] for one in both)
    told = {(row.before.cluster_id, row.after.cluster_id) for row in drift.rows if row.before and row.after}
    assert told == links
    for row in drift.rows:
        if row.before is None or row.after is None:
            continue
        mine = [one for one in both if row.before.cluster_id in lineage(then[one])]
        staying = [one for one in mine if row.after.cluster_id in lineage(now[one])]
        assert row.shared == len(staying)
        assert row.share_moved == (pytest.approx(1 - len(staying) / len(mine)) if mine else None)
        one, other = before.centroids[row.before.cluster_id], after.centroids[row.after.cluster_id]
        assert row.cosine == pytest.approx(float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)), abs=1e-6)


@given(LINKS)
def test_each_group_has_its_fate(links: set[tuple[str, str]]) -> None:
    rows = drift_between(run_of({}, 0), run_of({}, 1), links).rows
    of_old = {word: {after for before, after in links if before == word} for word in GROUPS}
    of_new = {word: {before for before, after in links if after == word} for word in GROUPS}
    by_fate = {fate: [row for row in rows if row.fate is fate] for fate in Fate}
    assert {row.before.cluster_id for row in by_fate[Fate.SPLIT] if row.before} == {
        w for w in GROUPS if len(of_old[w]) > 1
    }
    assert {row.after.cluster_id for row in by_fate[Fate.MERGED] if row.after} == {
        w for w in GROUPS if len(of_new[w]) > 1
    }
    assert {row.before.cluster_id for row in by_fate[Fate.DIED] if row.before} == {w for w in GROUPS if not of_old[w]}
    assert {row.after.cluster_id for row in by_fate[Fate.BORN] if row.after} == {w for w in GROUPS if not of_new[w]}
    kept = {(row.before.cluster_id, row.after.cluster_id) for row in by_fate[Fate.KEPT] if row.before and row.after}
    assert kept == {(old, new) for old, new in links if len(of_old[old]) == len(of_new[new]) == 1}


@given(LINKS, LINKS)
def test_links_go_through_the_run_between(earlier: set[tuple[str, str]], later: set[tuple[str, str]]) -> None:
    expected = {(a, d) for a, b in earlier for c, d in later if b == c}
    assert linked_through(earlier, later) == expected
