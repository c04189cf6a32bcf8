"""`ClusterTriggersApi` and `TriggersApi`, every method, and triggers that fire by themselves."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import mixpeek
import pytest

from sdk.conftest import Own
from support import sdk_world

DAILY = {"cron_expression": "0 2 * * *", "timezone": "America/New_York"}
HOURLY = {"interval_seconds": 3600, "start_immediately": False}
_PATIENCE_SECONDS = 180.0


@pytest.fixture
def cluster_id(own: Own) -> str:
    """A cluster over a collection of the test's own."""
    sdk_world.upload(own.client, own.namespace)
    return str(sdk_world.define(own.client, cluster_name="own topics").cluster_id)


def wait_for(found: Callable[[], Any]) -> Any:
    """Return what is found once it is anything."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not (value := found()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.1)
    return value


def test_triggers_of_clusters(own: Own, cluster_id: str) -> None:
    api = mixpeek.ClusterTriggersApi(own.client)
    asked = mixpeek.SharedClustersTriggersModelsCreateTriggerRequest(
        cluster_id=cluster_id, trigger_type="cron", schedule_config=DAILY, description="Daily clustering at 2am"
    )
    made = api.create_trigger_clusters(asked)
    assert (made.status, made.schedule_config, made.cluster_id) == ("active", DAILY, cluster_id)
    assert made.execution_config.collection_ids
    assert made.next_scheduled_at is not None
    assert made.next_scheduled_at.minute == 0
    trigger_id = str(made.trigger_id)
    assert api.get_trigger_clusters(trigger_id) == made
    listed = api.list_triggers_clusters(
        mixpeek.SharedClustersTriggersModelsListTriggersRequest(cluster_id=cluster_id, status="active")
    )
    assert ([one.trigger_id for one in listed.results], listed.total, listed.limit) == ([trigger_id], 1, 50)
    changes = mixpeek.SharedClustersTriggersModelsUpdateTriggerRequest(
        schedule_config={"cron_expression": "30 1 * * mon-fri", "timezone": "Europe/Berlin"}
    )
    assert api.update_trigger_clusters(trigger_id, changes).schedule_config == changes.schedule_config
    assert api.pause_trigger_clusters(trigger_id).next_scheduled_at is None
    assert api.resume_trigger_clusters(trigger_id).status == "active"
    history = api.get_trigger_history_clusters(trigger_id, mixpeek.TriggerHistoryRequest())
    assert (history.trigger_id, history.executions, history.total) == (trigger_id, [], 0)
    assert api.delete_trigger_clusters_with_http_info(trigger_id).status_code == 204
    assert api.get_trigger_clusters(trigger_id).status == "disabled"


def test_a_trigger_of_its_own_configuration(own: Own, cluster_id: str) -> None:
    del cluster_id  # its collection is what is clustered
    asked = mixpeek.SharedClustersTriggersModelsCreateTriggerRequest(
        trigger_type="interval",
        schedule_config=HOURLY,
        execution_config=mixpeek.TriggerExecutionConfig(
            collection_ids=[sdk_world.COLLECTION], config={"algorithm": "kmeans", "n_clusters": 3}
        ),
    )
    made = mixpeek.ClusterTriggersApi(own.client).create_trigger_clusters(asked)
    assert made.execution_config.config == {"algorithm": "kmeans", "n_clusters": 3}
    assert mixpeek.ClustersApi(own.client).get_cluster(made.cluster_id).algorithm == "kmeans"


def test_a_trigger_that_starts_immediately_fires_and_says_so(own: Own, cluster_id: str) -> None:
    api = mixpeek.ClusterTriggersApi(own.client)
    asked = mixpeek.SharedClustersTriggersModelsCreateTriggerRequest(
        cluster_id=cluster_id,
        trigger_type="interval",
        schedule_config={"interval_seconds": 3600, "start_immediately": True},
    )
    trigger_id = str(api.create_trigger_clusters(asked).trigger_id)
    asked_for = mixpeek.TriggerHistoryRequest()
    (firing,) = wait_for(lambda: _ended(api.get_trigger_history_clusters(trigger_id, asked_for)))
    assert firing.status == "completed", firing.error
    assert (firing.num_clusters, firing.num_documents) == (sdk_world.GROUPS, sdk_world.DOCUMENTS)
    present = api.get_trigger_clusters(trigger_id)
    assert (present.execution_count, present.last_execution_status) == (1, "completed")
    assert present.last_execution_job_id == firing.job_id


def test_triggers_in_general(own: Own, cluster_id: str) -> None:
    api = mixpeek.TriggersApi(own.client)
    asked = mixpeek.SharedTriggersModelsCreateTriggerRequest(
        action_type="cluster",
        action_config={"cluster_id": cluster_id},
        trigger_type="interval",
        schedule_config=HOURLY,
        name="hourly",
    )
    made = api.create_trigger(asked)
    assert (made.name, made.is_overdue, made.action_config["mode"]) == ("hourly", False, "full")
    trigger_id = str(made.trigger_id)
    assert api.get_trigger(trigger_id).trigger_id == trigger_id
    assert [one.trigger_id for one in api.list_triggers().results] == [trigger_id]
    wanted = mixpeek.SharedTriggersModelsListTriggersRequest(resource_id=cluster_id, action_type="cluster")
    assert api.list_triggers_0(wanted).total == 1
    changes = mixpeek.SharedTriggersModelsUpdateTriggerRequest(name="each hour")
    assert api.update_trigger(trigger_id, changes).name == "each hour"
    assert api.pause_trigger(trigger_id).status == "paused"
    assert api.resume_trigger(trigger_id).status == "active"
    task = api.execute_trigger_now(trigger_id)
    (firing,) = wait_for(lambda: _ended(api.get_trigger_history(trigger_id, offset=0, limit=10)))
    assert (firing.task_id, firing.status) == (task.task_id, "completed"), firing.error
    assert mixpeek.TasksApi(own.client).get_task(task.task_id).status == "COMPLETED"
    assert api.delete_trigger_with_http_info(trigger_id).status_code == 204
    assert api.get_trigger(trigger_id).status == "disabled"


def _ended(history: Any) -> list[Any]:
    return [one for one in history.executions if one.status != "pending"]


def test_new_documents_are_assigned_by_themselves(own: Own, cluster_id: str) -> None:
    sdk_world.execute(own.client, cluster_id)
    api = mixpeek.TriggersApi(own.client)
    asked = mixpeek.SharedTriggersModelsCreateTriggerRequest(
        action_type="cluster",
        action_config={"cluster_id": cluster_id, "mode": "assign"},
        trigger_type="event",
        schedule_config={"event_type": "documents_added", "event_threshold": 3, "cooldown_seconds": 0},
    )
    trigger_id = str(api.create_trigger(asked).trigger_id)
    sdk_world.upload(own.client, own.namespace, number=3, prefix="new")
    (firing,) = wait_for(lambda: _ended(api.get_trigger_history(trigger_id, offset=0, limit=10)))
    assert firing.status == "completed", firing.error
    latest = mixpeek.ClusterExecutionsApi(own.client).get_cluster_execution(cluster_id)
    assert (latest.mode, latest.num_points) == ("assign", sdk_world.DOCUMENTS + 3)


def test_what_cannot_be(own: Own) -> None:
    api = mixpeek.TriggersApi(own.client)
    with pytest.raises(mixpeek.exceptions.NotFoundException) as missing:
        api.get_trigger("trig_0000000000")
    assert missing.value.data.error.type == "NotFoundError"
    with pytest.raises(mixpeek.exceptions.UnprocessableEntityException):
        api.create_trigger(
            mixpeek.SharedTriggersModelsCreateTriggerRequest(
                action_type="cluster",
                action_config={"cluster_id": "clust_0"},
                trigger_type="interval",
                schedule_config={"interval_seconds": 10},
            )
        )
