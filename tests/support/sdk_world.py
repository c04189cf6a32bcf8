"""What tests of the client that Mixpeek publishes start from: callers, a few documents, a run that has completed."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mixpeek

COLLECTION = "things"
VECTOR = "text"
DOCUMENTS = 30
GROUPS = 3
_ENDED = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED", "CANCELED"})
_PAUSE_SECONDS = 0.02
_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A k-means run over the documents of `COLLECTION`, and what it belongs to; read it, change nothing of it."""

    cluster_id: str
    run_id: str
    task_id: str
    collection_id: str


def configuration(url: str, namespace: str | None) -> Any:
    """Return how the client is pointed at an installation; any key will do while keys are off."""
    headers = {} if namespace is None else {"NamespaceHeader": namespace}
    return mixpeek.Configuration(host=url, access_token="sk_local", api_key=headers)


@contextmanager
def client_of(url: str, namespace: str | None) -> Iterator[Any]:
    """Open a client whose calls name a namespace."""
    with mixpeek.ApiClient(configuration(url, namespace)) as client:
        yield client


def new_namespace(client: Any) -> str:
    """Make a namespace of a name that nobody has, and return its id."""
    name = f"sdk{secrets.token_hex(6)}"
    made = mixpeek.NamespacesApi(client).create_namespace({"namespace_name": name})
    return str(made.namespace_id)


def documents(number: int = DOCUMENTS, *, prefix: str = "d") -> list[dict[str, Any]]:
    """Return documents in three clear groups, the first, fourth, seventh … in the first one."""
    words = ("red apple fruit", "blue whale ocean", "green leaf forest")
    made = []
    for at in range(number):
        vector = [0.01 * (at % 7), 0.02 * (at % 5), 0.01 * (at % 3), 0.1]
        vector[at % GROUPS] += 1.0
        payload = {"title": f"{words[at % GROUPS]} {at}", "n": at, "even": at % 2 == 0, "kind": words[at % GROUPS]}
        made.append({"document_id": f"{prefix}{at:03d}", "vectors": {VECTOR: vector}, "payload": payload})
    return made


def upload(client: Any, namespace: str, *, collection: str = COLLECTION, **asked: Any) -> str:
    """Store `documents(**asked)` in a collection, which the first upload makes, and return its id."""
    body = mixpeek.BYOUpsertRequest.from_dict({"collection_id": collection, "documents": documents(**asked)})
    upsert = mixpeek.BYODocumentsApi(client).upsert_documents_byo_namespaces_with_http_info
    # the client's own model has no room for the id of the collection
    return str(json.loads(upsert(namespace, body).raw_data)["collection_id"])


def define(client: Any, **asked: Any) -> Any:
    """Make a cluster over `COLLECTION` by k-means into three groups, unless something else is asked for."""
    vector = mixpeek.VectorBasedConfigInput(
        feature_uris=[VECTOR],
        clustering_method="kmeans",
        algorithm_params=mixpeek.AlgorithmParams({"n_clusters": GROUPS}),
    )
    values = {"collection_ids": [COLLECTION], "vector_config": vector, **asked}
    return mixpeek.ClustersApi(client).create_cluster(mixpeek.CreateClusterRequest(**values))


def execute(client: Any, cluster_id: str, body: Any = None) -> Any:
    """Run a cluster and return its task once that has ended."""
    task = mixpeek.ClustersApi(client).execute_clustering_clusters(cluster_id, body)
    return ended(client, task.task_id)


def ended(client: Any, task_id: str) -> Any:
    """Wait for a task's end and return it."""
    tasks = mixpeek.TasksApi(client)
    return awaited(lambda: tasks.get_task(task_id), lambda task: task.status in _ENDED)


def awaited(read: Callable[[], Any], is_there: Callable[[Any], bool]) -> Any:
    """Read until what was read is as it should be, and return that; gives up after three minutes."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while not is_there(found := read()):
        assert time.monotonic() < until, f"still {found}"
        time.sleep(_PAUSE_SECONDS)
    return found
