"""The client that Mixpeek publishes, unmodified, in front of a whole installation through Envoy.

One namespace with a collection and a completed run serves the session: tests read it. A test that changes or counts
things takes `own` and makes there what it needs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from support import sdk_world
from support.sdk_world import FinishedRun
from support.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "/tests/sdk/" in item.path.as_posix():
            item.add_marker(pytest.mark.acceptance)


@dataclass(frozen=True, slots=True)
class Own:
    """A namespace for one test, and a client whose calls name it."""

    namespace: str
    client: Any


@pytest.fixture(scope="session")
def namespace(shoal_up: Stack) -> str:
    """The id of the namespace that the session's tests read."""
    with sdk_world.client_of(shoal_up.url, None) as client:
        return sdk_world.new_namespace(client)


@pytest.fixture(scope="session")
def client(shoal_up: Stack, namespace: str) -> Iterator[Any]:
    """A `mixpeek.ApiClient` whose calls name that namespace: `mixpeek.ClustersApi(client).get_cluster(…)`."""
    with sdk_world.client_of(shoal_up.url, namespace) as made:
        yield made


@pytest.fixture(scope="session")
def collection_id(client: Any, namespace: str) -> str:
    """The collection `things`: thirty documents in three groups, with the vector `text` of four components."""
    return sdk_world.upload(client, namespace)


@pytest.fixture(scope="session")
def finished_run(client: Any, collection_id: str) -> FinishedRun:
    """A completed k-means run over that collection, three groups of ten."""
    cluster = sdk_world.define(client, cluster_name="shared topics")
    task = sdk_world.execute(client, cluster.cluster_id)
    assert task.status == "COMPLETED", task
    return FinishedRun(cluster.cluster_id, task.additional_data["run_id"], task.task_id, collection_id)


@pytest.fixture
def own(shoal_up: Stack) -> Iterator[Own]:
    """An empty namespace for one test, with a client."""
    with sdk_world.client_of(shoal_up.url, None) as outside:
        made = sdk_world.new_namespace(outside)
    with sdk_world.client_of(shoal_up.url, made) as inside:
        yield Own(made, inside)
