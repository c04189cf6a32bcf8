"""What calls and runs tell: the events of one document, and of whatever ran."""

from __future__ import annotations

import numpy as np
import pytest

from support.cluster_world import ClusterWorld
from support.webhook_world import WebhookWorld

pytestmark = pytest.mark.integration


def _told(world: ClusterWorld, *kinds: str) -> list[tuple[str, str]]:
    with world.adapters.open_unit_of_work() as uow:
        events = [event for event in uow.events.after(0, 1000) if event.event_type.partition(".")[0] in kinds]
    return [(event.event_type.value, event.subject_id) for event in events]


def test_a_call_about_one_document_tells_of_that_document(webhooks: WebhookWorld) -> None:
    world = webhooks.world
    world.store(np.eye(3, 4, dtype=np.float32))
    changes = world.use_cases.document_changes
    changes.create(world.caller, "things", {"document_id": "new", "title": "t"})
    changes.update(world.caller, "things", "new", {"title": "u"})
    changes.delete(world.caller, "things", "new")
    changes.delete_several(world.caller, "things", ["d00000", "d00001"])
    changes.delete_several(world.caller, "things", ["nobody"])
    assert _told(world, "document") == [
        ("document.created", "new"),
        ("document.updated", "new"),
        ("document.deleted", "new"),
    ]


def test_a_finished_import_is_a_batch_that_is_completed(webhooks: WebhookWorld) -> None:
    collection_id = webhooks.world.store(np.eye(3, 4, dtype=np.float32))
    assert _told(webhooks.world, "collection")[-2:] == [
        ("collection.documents.written", collection_id),
        ("collection.documents.batch_completed", collection_id),
    ]


def test_a_run_tells_that_something_ran(webhooks: WebhookWorld) -> None:
    world = webhooks.world
    world.store(np.random.default_rng(1).normal(size=(40, 4)).astype(np.float32))
    done = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    world.run(world.start(done))
    failed = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 50})
    world.run(world.start(failed))
    assert _told(world, "cluster", "resource") == [
        ("cluster.created", done),
        ("cluster.execution.started", done),
        ("cluster.execution.completed", done),
        ("resource.executed", done),
        ("cluster.created", failed),
        ("cluster.execution.started", failed),
        ("cluster.execution.failed", failed),
        ("resource.execution_failed", failed),
    ]
