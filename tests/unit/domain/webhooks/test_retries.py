from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shoald.domain.webhooks.retries import LONGEST, WAITS, breather_after, wait_after


def _tries(retry_after: timedelta | None, chance: float) -> tuple[int, timedelta]:
    """Return how often a receiver is tried that fails each time, and the time from the first try to the last."""
    tries, passed = 1, timedelta(0)
    while (wait := wait_after(tries, passed=passed, retry_after=retry_after, chance=chance)) is not None:
        tries, passed = tries + 1, passed + wait
    return tries, passed


@given(st.floats(0, 1))
def test_there_are_eleven_tries_within_a_day(chance: float) -> None:
    tries, passed = _tries(None, chance)
    assert tries == 11
    assert timedelta(hours=20) < passed <= LONGEST


@given(st.timedeltas(timedelta(0), timedelta(days=9)), st.floats(0, 1))
def test_a_receiver_that_asks_for_more_time_gets_fewer_tries_and_not_more_than_a_day(
    asked: timedelta, chance: float
) -> None:
    tries, passed = _tries(asked, chance)
    assert 2 <= tries <= 11
    assert passed <= LONGEST


@given(st.integers(1, 10), st.floats(0, 1), st.none() | st.timedeltas(timedelta(0), timedelta(days=9)))
def test_a_wait_is_at_least_what_the_table_and_the_receiver_say(
    tries: int, chance: float, asked: timedelta | None
) -> None:
    wait = wait_after(tries, retry_after=asked, chance=chance)
    assert wait is not None
    assert wait >= WAITS[tries - 1]
    assert wait >= min(asked or timedelta(0), LONGEST)


def test_one_failure_spares_nobody_and_many_spare_no_longer_than_two_minutes() -> None:
    assert breather_after(1) == timedelta(0)
    assert all(breather_after(n) <= breather_after(n + 1) <= timedelta(minutes=2) for n in range(20))
