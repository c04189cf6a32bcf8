from __future__ import annotations

from datetime import timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.webhooks.retry_schedule import LONGEST_WAIT, RETRY_AFTER, breather_after, wait_after


def test_the_last_try_comes_within_a_day() -> None:
    total = list(accumulate(RETRY_AFTER))[-1]
    assert timedelta(hours=20) < total < timedelta(days=1)
    assert wait_after(len(RETRY_AFTER)) is not None
    assert wait_after(len(RETRY_AFTER) + 1) is None


@given(st.integers(1, 10), st.floats(0, 1), st.none() | st.timedeltas(timedelta(0), timedelta(days=9)))
def test_a_wait_is_at_least_what_the_table_and_the_receiver_say(
    tries: int, chance: float, asked: timedelta | None
) -> None:
    wait = wait_after(tries, retry_after=asked, chance=chance)
    assert wait is not None
    assert wait >= RETRY_AFTER[tries - 1]
    assert wait >= min(asked or timedelta(0), LONGEST_WAIT)
    assert wait <= max(RETRY_AFTER[tries - 1] * 1.1, LONGEST_WAIT)


def test_one_failure_spares_nobody_and_many_spare_no_longer_than_two_minutes() -> None:
    assert breather_after(1) == timedelta(0)
    assert all(breather_after(n) <= breather_after(n + 1) <= timedelta(minutes=2) for n in range(20))
