"""What tests of taxonomies start from: a namespace, a run of two groups, and calls that take one line."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from shoald.application.access import Caller
from shoald.application.collection_documents import Upsert
from shoald.application.collections import CollectionChanges
from shoald.application.document_vectors import IncomingDocument
from shoald.application.listing import Selection
from shoald.application.namespaces import NewNamespace
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.promotion_sources import PromotionRequest, RunReference
from shoald.application.taxonomies import NewTaxonomy, Promotion
from shoald.domain.json_types import JsonObject
from support.cluster_world import ClusterWorld, groups_of

KMEANS = {"feature_uris": ["v"], "clustering_method": "kmeans"}


def in_a_namespace_of_its_own(installation: ClusterWorld) -> ClusterWorld:
    new = NewNamespace(namespace_name=f"ns{secrets.token_hex(6)}")
    made = installation.use_cases.namespaces.create(new)
    return replace(installation, caller=Caller(namespace_id=made.namespace_id))


def a_run(world: ClusterWorld, **config: Any) -> RunReference:
    """Two groups of ten documents each."""
    world.store(groups_of(10, 10))
    config = {"feature_uris": ["v"], "clustering_method": "kmeans", "algorithm_params": {"n_clusters": 2}, **config}
    return run_of(world, world.define(**config))


def run_of(world: ClusterWorld, cluster: str) -> RunReference:
    job = world.run(world.start(cluster))
    assert job.state == "COMPLETED", job
    return RunReference(cluster=cluster, run_id=job.payload["run_id"])


def promote(world: ClusterWorld, run: RunReference, name: str = "topics", **new: Any) -> Promotion:
    made = NewTaxonomy(taxonomy_name=name, **new)
    return world.use_cases.taxonomies.promote(world.caller, made, PromotionRequest(run=run))


def payloads(world: ClusterWorld, collection: str) -> dict[str, JsonObject]:
    with world.adapters.open_unit_of_work() as uow:
        found = uow.collections.find(world.caller.namespace_id, collection)
        assert found is not None
        rows = uow.collections.documents([found.collection_id], Selection(limit=1000))
        return {one.document_id: one.payload for one in rows}


def vectors(world: ClusterWorld, collection: str, name: str = "v") -> dict[str, Any]:
    with world.adapters.open_unit_of_work() as uow:
        found = uow.collections.find(world.caller.namespace_id, collection)
        assert found is not None
        ids = list(payloads(world, collection))
        return {one: held[name] for one, held in uow.collections.vectors(found.collection_id, ids).items()}


def attach(world: ClusterWorld, collection: str, *given: JsonObject) -> None:
    changes = CollectionChanges(taxonomy_applications=given)
    world.use_cases.collections.update(world.caller, collection, changes)


def upsert(world: ClusterWorld, collection: str, *documents: IncomingDocument) -> Any:
    asked = Upsert(namespace=world.caller.namespace_id, collection=collection, documents=documents)
    return world.use_cases.collection_documents.upsert(world.caller, asked)


def nested(world: ClusterWorld) -> None:
    """Store two groups, the first of which falls into two."""
    random = np.random.default_rng(0)
    centres = np.zeros((3, 24))
    centres[[0, 1], 0] = 8.0
    centres[2, 1] = 8.0
    centres[[0, 1], [10, 11]] = 2.0
    rows = [centre + random.normal(scale=0.15, size=(n, 24)) for centre, n in zip(centres, (80, 60, 40), strict=True)]
    world.store(np.concatenate(rows).astype(np.float32))


def a_flat_config(world: ClusterWorld, **changed: Any) -> JsonObject:
    found = world.use_cases.collections.get(world.caller, "things")
    return {
        "taxonomy_type": "flat",
        "retriever_id": "ret_" + found.collection_id.removeprefix("col_"),
        "input_mappings": [{"input_key": "q", "source_type": "vector", "path": "v"}],
        "source_collection": {"collection_id": "things", "enrichment_fields": [{"field_path": "title"}]},
        **changed,
    }


def count_transactions(monkeypatch: pytest.MonkeyPatch, owner: Any) -> Callable[[], int]:
    """Return what says how many transactions a use case has open."""
    begin, still_open = owner._open_unit_of_work, [0]

    @contextmanager
    def counted() -> Iterator[UnitOfWork]:
        with begin() as uow:
            still_open[0] += 1
            try:
                yield uow
            finally:
                still_open[0] -= 1

    monkeypatch.setattr(owner, "_open_unit_of_work", counted)
    return lambda: still_open[0]
