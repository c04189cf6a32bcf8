from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shoald.application.event_telling import EventTelling
from support.cluster_world import cluster_world
from support.webhook_receiver import Receiver, webhook_receiver
from support.webhook_world import WebhookWorld


@pytest.fixture
def webhooks(postgres_database: str, data_dir: Path) -> Iterator[WebhookWorld]:
    with cluster_world(postgres_database, data_dir, outward_private_networks="127.0.0.0/8") as world:
        yield WebhookWorld(world, EventTelling(open_unit_of_work=world.adapters.open_unit_of_work))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with webhook_receiver() as one:
        yield one
