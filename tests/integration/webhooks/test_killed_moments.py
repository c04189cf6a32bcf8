"""Who is killed at a commit, before or after it, leaves everything to be told by the next one: each moment in turn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from shoald.application.event_telling import EventTelling
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.platform_words import DeliveryStatus
from support.webhook_receiver import Receiver
from support.webhook_world import WebhookWorld

pytestmark = pytest.mark.integration

_EVENTS = 2
_COMMITS = 1 + 2 * _EVENTS + 1  # the telling, a lease and an end for each event, and the look that finds nothing


class Killed(BaseException):
    """Nothing that comes after is carried out, as after `kill -9`."""


@dataclass
class _Dying:
    """Opens units of work until the process dies at one of their commits."""

    open_unit_of_work: OpenUnitOfWork
    commits_left: int
    after: bool

    @contextlib.contextmanager
    def __call__(self, *, reading: bool = False) -> Iterator[UnitOfWork]:
        with self.open_unit_of_work(reading=reading) as uow:
            yield _Mortal(uow, self)

    def commit(self, uow: UnitOfWork) -> None:
        self.commits_left -= 1
        if self.commits_left >= 0:
            uow.commit()
            return
        if self.after:
            uow.commit()
        raise Killed


class _Mortal:
    """A unit of work that commits as its maker says."""

    def __init__(self, uow: UnitOfWork, dying: _Dying) -> None:
        self._uow = uow
        self._dying = dying

    def __getattr__(self, name: str) -> Any:
        return getattr(self._uow, name)

    def commit(self) -> None:
        self._dying.commit(self._uow)


def _live(webhooks: WebhookWorld, open_unit_of_work: Any) -> None:
    """Tell and deliver, as a scheduler does, with leases that have ended when the next one looks."""
    EventTelling(open_unit_of_work=open_unit_of_work).run_pass()
    delivering = replace(webhooks.world.adapters.delivering, open_unit_of_work=open_unit_of_work, lease=timedelta(0))
    while (errand := delivering.take()) is not None:
        delivering.carry_out(errand)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_nothing_is_lost_at_any_moment(webhooks: WebhookWorld, receiver: Receiver, *, after: bool) -> None:
    webhook = webhooks.webhook(receiver.url)
    for commits in range(_COMMITS):
        receiver.received.clear()
        happened = [one.event_id for one in webhooks.happen(_EVENTS)]
        with pytest.raises(Killed):
            _live(webhooks, _Dying(webhooks.world.adapters.open_as_system, commits, after))
        webhooks.deliver()
        told = receiver.event_ids()
        assert list(dict.fromkeys(told)) == happened, commits
        assert len(told) - len(happened) <= 1, commits
    _live(webhooks, _Dying(webhooks.world.adapters.open_as_system, _COMMITS, after))
    deliveries = webhooks.deliveries(webhook)
    assert {one.status for one in deliveries} == {DeliveryStatus.DELIVERED}
    assert len(deliveries) == len({one.event_id for one in deliveries}) == _EVENTS * _COMMITS
