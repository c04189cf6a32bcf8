"""A key is looked at with every message of a stream: one that is revoked ends what it began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shoald.domain.failures import Failure, Unauthenticated, Unavailable
from shoald.transport.interceptors.key_check import KeyCheck

METHOD = "/shoal.rag.v1.DocumentService/UploadDocument"


class Door:
    """An `Access` whose one key can be revoked."""

    failure: Failure | None = None

    def key(self, shown: str | None) -> None:
        assert shown == "Bearer k"
        if self.failure is not None:
            raise self.failure


class Context:
    """Of a call, what it shows."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", "Bearer k"),)


def numbers(door: Door, failure: Failure) -> Iterator[int]:
    for number in range(3):
        if number == 1:
            door.failure = failure
        yield number


def heard(direction: str, failure: Failure, taken: list[int]) -> None:
    door: Any = Door()
    context: Any = Context()
    if direction == "out":
        behaviour = KeyCheck(door).stream(METHOD, lambda _, __: numbers(door, failure))
        taken.extend(behaviour(iter(()), context))
    else:
        behaviour = KeyCheck(door).unary(METHOD, lambda request, _: taken.extend(request))
        behaviour(numbers(door, failure), context)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_stream_ends_with_its_key(direction: str) -> None:
    taken: list[int] = []
    with pytest.raises(Unauthenticated):
        heard(direction, Unauthenticated(), taken)
    assert taken == [0]


@pytest.mark.parametrize("direction", ["in", "out"])
def test_a_database_that_is_away_ends_no_stream(direction: str) -> None:
    taken: list[int] = []
    heard(direction, Unavailable(), taken)
    assert taken == [0, 1, 2]
