"""How long callers wait."""

from __future__ import annotations

import math
import time

import pytest

from shoald.application.waiting import Patience
from shoald.domain.failures import DeadlineExceeded


def test_one_without_a_deadline_waits_as_long_as_it_takes() -> None:
    assert Patience().left() == math.inf
    assert Patience().left(at_most=55.0) == 55.0
    Patience().check("The work")


def test_what_is_left_becomes_less() -> None:
    begun = Patience(seconds=10.0, began=time.monotonic() - 4.0)
    assert 5.0 < begun.left() <= 6.0
    assert begun.left(at_most=2.0) == 2.0


@pytest.mark.parametrize(
    "ended", [Patience(seconds=1.0, began=time.monotonic() - 2.0), Patience(seconds=9.0, is_wanted=lambda: False)]
)
def test_nobody_works_for_one_who_does_not_wait(ended: Patience) -> None:
    assert ended.left() == 0.0
    with pytest.raises(DeadlineExceeded, match="The work was not done") as caught:
        ended.check("The work", hint="Ask for less.")
    assert caught.value.hint == "Ask for less."
