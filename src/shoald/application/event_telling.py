"""Events go in, deliveries to those who want to be told come out, in the transaction that moves the reader on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from shoald.application.ports.repositories.webhooks import NewDelivery
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.identifiers import new_delivery_id
from shoald.domain.records.event import Event
from shoald.domain.records.webhook import Webhook
from shoald.domain.webhooks.payloads import payload_of

_READER = "webhooks"
_BATCH = 500


@dataclass(frozen=True, kw_only=True)
class EventTelling:
    """One pass after another makes deliveries of what happened; any number of these may run."""

    open_unit_of_work: OpenUnitOfWork

    def run_pass(self) -> int:
        """Take all events that are there, and say how many deliveries they gave."""
        made = 0
        while True:
            read, deliveries = self._batch()
            made += deliveries
            if read < _BATCH:
                return made

    def _batch(self) -> tuple[int, int]:
        with self.open_unit_of_work() as uow:
            position = uow.events.position(_READER)
            events = [] if position is None else uow.events.after(position, _BATCH)
            if not events:
                uow.commit()
                return 0, 0
            deliveries = list(_deliveries(events, uow.webhooks.listening(events)))
            uow.deliveries.add(deliveries)
            uow.events.move(_READER, events[-1].sequence or 0)
            uow.commit()
        return len(events), len(deliveries)


def _deliveries(events: Sequence[Event], webhooks: Sequence[Webhook]) -> Iterator[NewDelivery]:
    for event in events:
        payload = payload_of(event)
        for webhook in webhooks:
            if not webhook.wants(event):
                continue
            for channel_no in range(len(webhook.channels)):
                yield NewDelivery(
                    delivery_id=new_delivery_id(),
                    webhook=webhook,
                    channel_no=channel_no,
                    event=event,
                    payload=payload,
                )


@dataclass(frozen=True, kw_only=True)
class TellingSweep:
    """Removes events that everybody has read, and deliveries that ended, some time after."""

    open_unit_of_work: OpenUnitOfWork
    keep: timedelta
    batch: int = _BATCH

    def run_pass(self) -> int:
        """Remove all of them, a batch of each at a time, and say how many."""
        removed = 0
        while batch := self._remove():
            removed += batch
        return removed

    def _remove(self) -> int:
        with self.open_unit_of_work() as uow:
            removed = uow.events.remove(self.keep, self.batch) + uow.deliveries.remove(self.keep, self.batch)
            uow.commit()
        return removed
