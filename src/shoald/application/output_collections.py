"""A completed run goes in; the collection of its groups and members comes out, in the place of the run's before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shoald.application.access import Caller
from shoald.application.group_labels import labels_of
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.output_documents import AXES, OutputDocuments, features_apart, vector_name
from shoald.application.output_events import output_written
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.run_artifacts import CENTROIDS, MEMBERS
from shoald.application.run_following import PublishedRun
from shoald.domain.failures import AlreadyExists
from shoald.domain.identifiers import looks_like_an_id, new_collection_id
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import REPLAY_OF, Cluster, ClusterRun
from shoald.domain.records.collection import Collection, DocumentBatch, VectorConfig
from shoald.domain.records.job import Job
from shoald.domain.records.output_collection import OutputCollection
from shoald.domain.vocabulary import JobType, OutputStrategy

_LONGEST_NAME = 100
_ROWS = 8_192
_GROUPS = 512


class OutputWriting:
    """`RunFollower` that writes the output of runs; in constant memory beside the groups' descriptions."""

    def __init__(self, *, objects: ObjectStore, tables: RunTables) -> None:
        self._objects = objects
        self._tables = tables

    def follow(self, uow: UnitOfWork, published: PublishedRun) -> Job | None:
        """Replace the documents of the cluster's output; a run that a newer one overtook leaves them as they are."""
        cluster, run = published.cluster, published.run
        if writes_into_sources(cluster) or REPLAY_OF in run.overrides:
            return None
        uow.output_collections.lock(cluster.cluster_id)
        newest = uow.cluster_runs.latest_completed(cluster.cluster_id)
        if newest is not None and newest.created_at > run.created_at:
            return None
        for feature in _features_written(cluster, run):
            self._write(uow, published, feature)
        return None

    def drawn(self, uow: UnitOfWork, published: PublishedRun) -> None:
        """Bring the places of a map that was drawn later to the documents of the run's output, if it is still there."""
        cluster_id = published.cluster.cluster_id
        uow.output_collections.lock(cluster_id)
        for one in uow.output_collections.of_clusters([cluster_id]).get(cluster_id, ()):
            is_its_own = one.run_id == published.run.run_id
            if is_its_own and uow.collections.lock(one.collection_id) is not None:
                for batch in self._batches(published, one.feature or None):
                    uow.output_collections.place(one.collection_id, _places(batch))

    def _write(self, uow: UnitOfWork, published: PublishedRun, feature: str) -> None:
        run = published.run
        collection_id = _collection_of(uow, published, feature)
        uow.collections.lock(collection_id)
        uow.collections.set_vector_configs(collection_id, self._vector_configs(run, feature or None))
        batches = self._batches(published, feature or None)
        stored = uow.collections.replace_documents(collection_id, batches, at=published.at)
        uow.events.add(output_written(run, collection_id, stored, published.at))
        uow.output_collections.put(_output(published, feature, collection_id))

    def _batches(self, published: PublishedRun, feature: str | None) -> Iterator[DocumentBatch]:
        run = published.run
        where = None if feature is None else ("feature", feature)
        documents = OutputDocuments(run=run, feature=feature)
        with self._opened(run, CENTROIDS) as groups, self._opened(run, MEMBERS) as members:
            of_groups = self._tables.read(groups, columns=["cluster_id", "centroid_vector"], batch_rows=_GROUPS)
            of_members = self._tables.read(members, where=where, batch_rows=_ROWS)
            for batch in documents.batches(of_groups, of_members):
                published.check()
                yield batch

    def _vector_configs(self, run: ClusterRun, feature: str | None) -> list[VectorConfig]:
        """Return the vectors that groups have, as long as each first one of a name is."""
        widths: dict[str, int] = {}
        with self._opened(run, CENTROIDS) as groups:
            for batch in self._tables.read(groups, columns=["cluster_id", "centroid_vector"], batch_rows=_GROUPS):
                for cluster_id, vector in zip(batch["cluster_id"], batch["centroid_vector"], strict=True):
                    if vector is not None and (feature is None or cluster_id.startswith(f"{feature}:")):
                        widths.setdefault(vector_name(run, cluster_id, feature), len(vector))
        return [VectorConfig(name=name, dimension=width, metric="cosine") for name, width in widths.items()]

    def _opened(self, run: ClusterRun, name: str) -> Any:
        stored = run.artifacts[name]
        return self._objects.local_copy(stored["key"], stored["sha256"])


def writes_into_sources(cluster: Cluster) -> bool:
    """Say whether runs write into the documents that they group, instead of a collection of their own."""
    vector = cluster.definition.get("vector_config") or {}
    return bool(cluster.definition.get("enrich_source_collection") or vector.get("enrich_source"))


def outputs_of(uow: UnitOfWork, clusters: Sequence[Cluster]) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return the id and name of each collection that holds what the runs of a cluster found, by cluster.

    Those are the sources of a cluster that writes into them. The clusters are of one namespace.
    """
    found = uow.output_collections.of_clusters([one.cluster_id for one in clusters])
    outputs = {name: [(one.collection_id, one.collection_name) for one in mine] for name, mine in found.items()}
    writing = [one for one in clusters if writes_into_sources(one)]
    if writing:
        sources = {source for one in writing for source in one.collection_ids}
        names = uow.collections.names(writing[0].namespace_id, sorted(sources))
        for one in writing:
            outputs[one.cluster_id] = [(source, names[source]) for source in one.collection_ids if source in names]
    return outputs


class OutputRemoval:
    """`GoesWithCluster` of what runs wrote."""

    def remove(self, uow: UnitOfWork, cluster: Cluster, *, keeps_output: bool) -> None:
        """Forget the collections, and delete them unless they are kept: nobody writes them any more then."""
        for collection_id in uow.output_collections.take(cluster.cluster_id):
            if not keeps_output:
                uow.collections.delete(collection_id)


class OutputLabelsHandler:
    """`JobHandler` that brings the labels of a run to the documents of its output."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork) -> None:
        self._open_unit_of_work = open_unit_of_work

    def run(self, context: JobContext) -> None:
        """Relabel in the transaction that ends the job; done again it changes nothing."""
        payload = context.job.payload
        with self._open_unit_of_work() as uow:
            changed = _relabeled(uow, payload["cluster_id"], payload["run_id"])
            context.complete(uow, {"changed": changed})
            uow.commit()

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Labels have no rows of their own."""


def accept_relabeling(uow: UnitOfWork, jobs: Jobs, run: ClusterRun) -> Job | None:
    """Accept that the labels of a run are brought to its output; None where it has none (any more)."""
    outputs = uow.output_collections.of_clusters([run.cluster_id]).get(run.cluster_id, ())
    if not any(one.run_id == run.run_id for one in outputs):
        return None
    payload = {"cluster_id": run.cluster_id, "run_id": run.run_id}
    caller = Caller(namespace_id=run.namespace_id)
    return jobs.accept(uow, JobRequest(job_type=JobType.OUTPUT_LABELS, payload=payload, caller=caller))


def _relabeled(uow: UnitOfWork, cluster_id: str, run_id: str) -> int:
    """Put the labels of a run into the documents of its output, if they are still its; returns how many changed.

    Costs a look at every document.
    """
    uow.output_collections.lock(cluster_id)
    outputs = uow.output_collections.of_clusters([cluster_id]).get(cluster_id, ())
    run = uow.cluster_runs.get(run_id)
    changed = 0
    for one in outputs:
        if run is not None and one.run_id == run_id and uow.collections.lock(one.collection_id) is not None:
            changed += uow.output_collections.relabel(one.collection_id, labels_of(run))
    return changed


def _places(batch: DocumentBatch) -> dict[str, JsonObject]:
    """Return the place on the map of each document, by its id."""
    places = ({axis: payload[axis] for axis in AXES if axis in payload} for payload in batch.payloads)
    return dict(zip(batch.ids, places, strict=True))


def _features_written(cluster: Cluster, run: ClusterRun) -> tuple[str, ...]:
    """Return the features that have a collection of their own; the empty one stands for all of them."""
    vector = cluster.definition.get("vector_config") or {}
    is_apart = vector.get("output_strategy") == OutputStrategy.PER_FEATURE
    return (features_apart(run) if is_apart else ()) or ("",)


def _output(published: PublishedRun, feature: str, collection_id: str) -> OutputCollection:
    return OutputCollection(
        cluster_id=published.cluster.cluster_id,
        namespace_id=published.cluster.namespace_id,
        collection_id=collection_id,
        collection_name="",
        feature=feature,
        run_id=published.run.run_id,
        updated_at=published.at,
    )


def _collection_of(uow: UnitOfWork, published: PublishedRun, feature: str) -> str:
    """Return the collection that the cluster writes, made if there is none or it was deleted."""
    cluster_id = published.cluster.cluster_id
    known = uow.output_collections.of_clusters([cluster_id]).get(cluster_id, ())
    mine = next((one.collection_id for one in known if one.feature == feature), None)
    return mine or _made(uow, published, feature)


def _made(uow: UnitOfWork, published: PublishedRun, feature: str) -> str:
    cluster = published.cluster
    what = f"of the feature {feature!r} " if feature else ""
    for name in _names(cluster, feature):
        collection = Collection(
            collection_id=new_collection_id(),
            namespace_id=cluster.namespace_id,
            collection_name=name,
            description=f"The groups {what}that the cluster {cluster.cluster_name!r} found, and their members.",
            index_id=None,
            vector_configs=(),
            metadata={"cluster_id": cluster.cluster_id, **({"feature": feature} if feature else {})},
            document_count=0,
            created_at=published.at,
            updated_at=published.at,
        )
        try:
            uow.collections.add(collection)
        except AlreadyExists:
            continue
        return collection.collection_id
    raise AlreadyExists(detail={"cluster_id": cluster.cluster_id})


def _names(cluster: Cluster, feature: str) -> Iterator[str]:
    """Yield names to try: the cluster's with `_output`, then with its id, then with one that nothing else has."""
    words = ["output", *([feature.rpartition("/")[2]] if feature else [])]
    plain = "_".join(words)[: _LONGEST_NAME // 2]
    for more in (plain, f"{plain} ({cluster.cluster_id})", f"{plain} ({new_collection_id()})"):
        name = f"{cluster.cluster_name[: _LONGEST_NAME - len(more) - 1]}_{more}"
        if not looks_like_an_id(name):
            yield name
