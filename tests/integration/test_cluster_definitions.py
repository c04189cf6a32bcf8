"""Definitions over a real PostgreSQL: what a deletion takes along, what runs go by, and namespaces that go whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from shoald.application.access import Caller, act_as
from shoald.application.clusters import Clusters
from shoald.application.namespace_removal import NamespaceRemoval
from shoald.application.namespaces import NewNamespace
from shoald.application.object_sweep import ObjectSweep
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.domain.failures import Conflict, ExecutionNotFound, NamespaceNotFound, TaskNotFound
from shoald.domain.records.cluster import Cluster
from shoald.domain.vocabulary import JobState
from support.cluster_world import ClusterWorld, cluster_world, groups_of

pytestmark = pytest.mark.integration


@pytest.fixture
def world(postgres_database: str, data_dir: Path) -> Iterator[ClusterWorld]:
    with cluster_world(postgres_database, data_dir) as made:
        yield made


def objects_of(world: ClusterWorld, run_id: str) -> list[str]:
    return [stored.key for stored in world.adapters.objects.list(f"runs/{run_id}/")]


def two_groups(world: ClusterWorld) -> str:
    world.store(groups_of(8, 8))
    return world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})


def test_a_run_goes_by_what_was_there_when_it_was_accepted(world: ClusterWorld) -> None:
    cluster = two_groups(world)
    before = world.start(cluster)
    world.use_cases.clusters.patch(world.caller, cluster, {"algorithm_params": {"n_clusters": 3}})
    after = world.start(cluster)
    found = []
    for job in (before, after):
        assert world.run(job).state is JobState.COMPLETED
        found.append(world.use_cases.executions.get(world.caller, cluster, job.payload["run_id"]).run.num_clusters)
    assert found == [2, 3]


def test_kept_artifacts_outlive_the_sweep_and_others_go_at_once(world: ClusterWorld) -> None:
    cluster = two_groups(world)
    runs = []
    for keeps in (True, False):
        job = world.run(world.start(cluster))
        runs.append(job.payload["run_id"])
        assert len(objects_of(world, runs[-1])) == 3
        gone, kept = world.use_cases.clusters.delete(world.caller, cluster, keeps_output=keeps)
        assert (gone.cluster_id, kept) == (cluster, [runs[-1]] if keeps else [])
        cluster = world.define(clustering_method="kmeans", algorithm_params={"n_clusters": 2})
    sweep = ObjectSweep(
        open_unit_of_work=world.adapters.open_unit_of_work,
        objects=world.adapters.objects,
        clock=world.adapters.clock,
        older_than=timedelta(0),
    )
    sweep.run_pass()
    assert [len(objects_of(world, run)) for run in runs] == [3, 0]


def test_a_run_that_is_published_after_the_deletion_leaves_nothing(world: ClusterWorld) -> None:
    cluster = two_groups(world)
    job = world.start(cluster)
    with world.adapters.open_unit_of_work() as uow:
        run = uow.cluster_runs.get(job.payload["run_id"])
    assert run is not None
    world.use_cases.clusters.delete(world.caller, cluster)
    with world.adapters.open_unit_of_work() as uow, pytest.raises(ExecutionNotFound):
        uow.cluster_runs.publish(run)
    with pytest.raises(TaskNotFound):
        world.use_cases.tasks.get(world.caller, job.job_id)


@dataclass
class Noted:
    """Something of others that goes with a cluster."""

    seen: list[tuple[str, bool, int]] = field(default_factory=list)

    def remove(self, uow: UnitOfWork, cluster: Cluster, *, keeps_output: bool) -> None:
        self.seen.append((cluster.cluster_id, keeps_output, len(uow.cluster_runs.all(cluster.cluster_id))))


def test_others_remove_theirs_while_the_runs_are_still_there(world: ClusterWorld) -> None:
    cluster = two_groups(world)
    world.run(world.start(cluster))
    noted, adapters = Noted(), world.adapters
    clusters = Clusters(
        open_unit_of_work=adapters.open_unit_of_work,
        clock=adapters.clock,
        cursors=adapters.page_cursors,
        jobs=adapters.jobs,
        objects=adapters.objects,
        goes_along=(noted,),
    )
    clusters.delete(world.caller, cluster, keeps_output=True)
    assert noted.seen == [(cluster, True, 1)]


def rows_of(url: str, namespace_id: str) -> dict[str, int]:
    """Return how many rows of each table belong to a namespace."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE column_name = 'namespace_id' AND table_schema = 'public'"
        ).fetchall()
        counted = {}
        for (table,) in tables:
            query = f"SELECT count(*) FROM {table} WHERE namespace_id = %s"  # noqa: S608 - names of our own tables
            row = connection.execute(query.encode(), [namespace_id]).fetchone()
            assert row is not None
            counted[table] = int(row[0])
        return {table: rows for table, rows in counted.items() if rows}


def test_a_removed_namespace_leaves_no_row_and_no_object(postgres_database: str, world: ClusterWorld) -> None:
    cluster = two_groups(world)
    finished = world.run(world.start(cluster))
    waiting = world.start(cluster)
    namespaces = world.use_cases.namespaces
    with world.adapters.open_unit_of_work() as uow:
        default = uow.namespaces.find("default")
    assert default is not None
    with pytest.raises(Conflict, match="cannot be deleted"):
        namespaces.delete("default")
    namespaces._default = "another"  # so that this world's one may go
    try:
        with pytest.raises(Conflict, match="1 jobs are at work"):
            namespaces.delete(default.namespace_id)
        assert "jobs" in rows_of(postgres_database, default.namespace_id)
        namespaces.delete(default.namespace_id, force=True)
    finally:
        act_as(None)
    assert rows_of(postgres_database, default.namespace_id) == {}
    with psycopg.connect(postgres_database) as connection:
        for table in ("collection_documents", "document_vectors", "job_attempts"):
            assert connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (0,)  # noqa: S608
    assert [objects_of(world, job.payload["run_id"]) for job in (finished, waiting)] == [[], []]
    with pytest.raises(NamespaceNotFound):
        namespaces.get(default.namespace_id)


def test_a_project_that_is_made_while_its_namespace_is_removed_keeps_it(
    world: ClusterWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespaces, projects = world.use_cases.namespaces, world.use_cases.projects
    made = namespaces.create(NewNamespace(namespace_name="short-lived"))
    inside, real = Caller(namespace_id=made.namespace_id), NamespaceRemoval._remove_collections

    def removing(removal: NamespaceRemoval, caller: Caller) -> None:
        real(removal, caller)
        projects.create(inside, name="late", description=None, settings=None)

    monkeypatch.setattr(NamespaceRemoval, "_remove_collections", removing)
    try:
        with pytest.raises(Conflict, match="holds 1 projects"):
            namespaces.delete(made.namespace_id)
        assert namespaces.get(made.namespace_id).namespace == made
    finally:
        act_as(None)


def test_nobody_makes_a_project_in_a_namespace_that_is_gone(world: ClusterWorld) -> None:
    gone = Caller(namespace_id="ns_gone")
    act_as(gone)
    try:
        with pytest.raises(Conflict, match="removed in the meantime"):
            world.use_cases.projects.create(gone, name="late", description=None, settings=None)
    finally:
        act_as(None)
