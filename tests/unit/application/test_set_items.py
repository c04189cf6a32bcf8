"""Batches of a set are read one ahead of whoever takes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shoald.application.set_items import _read_ahead
from shoald.domain.failures import Unavailable


def counted(read: list[int], *, fails_at: int = 100) -> Iterator[str]:
    for number in range(100):
        if number == fails_at:
            raise Unavailable
        read.append(number)
        yield str(number)


def test_everything_comes_in_order() -> None:
    assert list(_read_ahead(counted([]))) == [str(number) for number in range(100)]


def test_nothing_is_read_for_a_reader_that_has_gone() -> None:
    read: list[int] = []
    batches = _read_ahead(counted(read))
    assert (next(batches), next(batches)) == ("0", "1")
    batches.close()
    assert len(read) <= 3


def test_what_fails_fails_in_its_place() -> None:
    batches = _read_ahead(counted([], fails_at=3))
    assert [next(batches) for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(Unavailable):
        next(batches)
