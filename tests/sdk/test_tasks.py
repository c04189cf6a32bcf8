"""TasksApi, and the tasks of the hand-written client."""

from __future__ import annotations

from typing import Any

import mixpeek
import pytest
from mixpeek.exceptions import NotFoundException, UnprocessableEntityException

from sdk.conftest import Own
from support import sdk_world
from support.sdk_world import FinishedRun
from support.stack import Stack


def test_a_task_says_what_it_works_on(client: Any, finished_run: FinishedRun) -> None:
    task = mixpeek.TasksApi(client).get_task(finished_run.task_id)
    assert (task.task_type, task.status, task.error) == ("engine_cluster_build", "COMPLETED", None)
    told = {"cluster_id": finished_run.cluster_id, "run_id": finished_run.run_id, "job_id": finished_run.task_id}
    assert told.items() <= task.additional_data.items()
    assert [one.actual_instance for one in task.inputs] == [finished_run.collection_id]
    assert [one.actual_instance for one in task.outputs] == [finished_run.run_id]
    with pytest.raises(NotFoundException):
        mixpeek.TasksApi(client).get_task("task_nope")


def test_lists_have_every_form(own: Own) -> None:
    sdk_world.upload(own.client, own.namespace, number=9)
    one, two = (sdk_world.define(own.client, cluster_name=name).cluster_id for name in ("one", "two"))
    ids = [sdk_world.execute(own.client, cluster).task_id for cluster in (one, two, one)]
    api = mixpeek.TasksApi(own.client)

    def listed(body: Any = None, **query: Any) -> list[str]:
        # the client names no namespace here: without the filter these are the tasks of all that it reaches
        asked = mixpeek.ListTasksRequest(filters=mine, **(body or {}))
        return [task.task_id for task in api.list_tasks(list_tasks_request=asked, **query).results]

    assert set(ids) <= {task.task_id for task in api.list_tasks(limit=1000).results}
    mine = of(one, two)
    assert listed() == ids[::-1]
    assert listed(limit=1) == ids[2:]
    assert listed(page_size=1, page=2) == ids[1:2] == listed(limit=1, offset=1)
    assert listed({"status": "COMPLETED", "task_type": "engine_cluster_build"}) == ids[::-1]
    assert listed({"status": "FAILED"}) == listed({"task_type": "thumbnail"}) == []
    assert listed({"sort": {"field": "created_at", "direction": "asc"}}) == ids
    assert listed({"search": two}) == ids[1:2]
    page = api.list_tasks(limit=2, include_total=True, list_tasks_request={"filters": mine}).pagination
    assert (page.total, page.total_pages) == (3, 2)
    assert listed(limit=2, cursor=page.next_cursor) == ids[:1]
    with pytest.raises(UnprocessableEntityException):
        listed({"sort": {"field": "colour", "direction": "asc"}})
    mine = of(one)
    assert listed() == [ids[2], ids[0]]


def of(*clusters: str) -> Any:
    condition = {"field": "additional_data.cluster_id", "operator": "in", "value": list(clusters)}
    return mixpeek.LogicalOperatorInput.from_dict({"AND": [condition]})


def test_what_has_ended_can_be_killed_again(client: Any, finished_run: FinishedRun, shoal_up: Stack) -> None:
    assert mixpeek.TasksApi(client).kill_task(finished_run.task_id).success is True
    with pytest.raises(NotFoundException):
        mixpeek.TasksApi(client).kill_task("task_nope")
    mine = mixpeek.Mixpeek(
        "sk_local", base_url=f"{shoal_up.url}/v1", namespace=client.configuration.api_key["NamespaceHeader"]
    )
    assert mine.tasks.get(finished_run.task_id).status == "COMPLETED"
    assert mine.tasks.delete(finished_run.task_id).success is True
    assert finished_run.task_id in {one.task_id for one in mine.tasks.list(status="COMPLETED").results}
