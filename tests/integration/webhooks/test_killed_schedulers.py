"""No event is lost between the commit that made it and its receiver, whichever process is killed, whenever.

`test_killed_moments.py` goes through the moments one by one, without a process.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shoald.domain.platform_words import DeliveryStatus
from support.webhook_receiver import Receiver, Reply, eventually
from support.webhook_world import WebhookWorld

pytestmark = pytest.mark.integration

_TESTS = Path(__file__).parents[2]


@contextlib.contextmanager
def _scheduler(webhooks: WebhookWorld) -> Iterator[None]:
    """Run a scheduler in a process of its own, and kill it at the end of the block."""
    settings = webhooks.world.adapters.settings
    command = [sys.executable, "-m", "support.delivering_process", settings.database_url, str(settings.data_dir)]
    environment = {**os.environ, "PYTHONPATH": str(_TESTS)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def _has(receiver: Receiver, number: int) -> Callable[[], bool]:
    return lambda: len(receiver.received) > number


def _torment(webhooks: WebhookWorld, receiver: Receiver, *, events: int, kills: int, seed: int) -> None:
    """Let events happen while schedulers are killed, and see that each reached every receiver."""
    chance = random.Random(seed)
    receiver.answer = lambda _: Reply(500 if chance.random() < 0.1 else 200, hold_seconds=chance.random() * 0.02)
    told = [webhooks.webhook(f"{receiver.url}/{at}") for at in range(3)]
    happened = [one.event_id for one in webhooks.happen(events // 2)]
    for _ in range(kills):
        enough = len(receiver.received) + 3
        with _scheduler(webhooks):
            happened += [one.event_id for one in webhooks.happen(events // 2 // kills)]
            eventually(_has(receiver, enough), seconds=300)
            time.sleep(chance.random() * 0.2)
    with _scheduler(webhooks):
        wanted = {(f"/{at}", event) for at in range(len(told)) for event in happened}

        def is_delivered() -> bool:
            webhooks.make_due()
            time.sleep(0.1)
            return {(one.path, one.headers["webhook-id"]) for one in list(receiver.received)} >= wanted and all(
                one.status is DeliveryStatus.DELIVERED for webhook in told for one in webhooks.deliveries(webhook)
            )

        eventually(is_delivered, seconds=600)
    deliveries = [one for webhook in told for one in webhooks.deliveries(webhook)]
    assert sorted((one.webhook_id, one.event_id) for one in deliveries) == sorted(
        (webhook.webhook_id, event) for webhook in told for event in happened
    )


@pytest.mark.nightly
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_lost_under_many_kills(webhooks: WebhookWorld, receiver: Receiver, seed: int) -> None:
    _torment(webhooks, receiver, events=400, kills=25, seed=seed)
