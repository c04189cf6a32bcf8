"""What runs leave behind: groups and members read back, exported, and lent by short-lived links."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.access import Caller
from shoald.application.clusters import find_cluster
from shoald.application.executions import find_run
from shoald.application.file_links import FileAddresses, FileLinks
from shoald.application.ports.clock import Clock
from shoald.application.ports.object_store import ObjectStore
from shoald.application.ports.run_tables import RunTables
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.application.run_artifacts import CENTROIDS, DOCUMENTS, MEMBERS
from shoald.domain.failures import ArtifactNotFound, InvalidFields, TooLarge
from shoald.domain.json_types import JsonObject
from shoald.domain.records.cluster import ClusterRun, member_word
from shoald.domain.vocabulary import ExecutionStatus

LINK_SECONDS = 900
CSV_ROWS = 100_000
SOLID = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A short-lived address of an exported file."""

    url: str
    filename: str
    expires_at: datetime
    size_bytes: int
    sha256: str
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedFile:
    """A file behind a link: its name, its size in bytes, and its bytes in parts."""

    filename: str
    size: int
    parts: Iterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRange:
    """Which members to read: of one group or of all, of one feature or of all, skipping `offset`, at most `limit`."""

    cluster_id: str | None = None
    feature: str | None = None
    limit: int | None = None
    offset: int = 0


class Artifacts:
    """The artifacts of the caller's runs."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        objects: ObjectStore,
        tables: RunTables,
        links: FileLinks,
        public_url: str,
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._objects = objects
        self._tables = tables
        self._links = links
        self._addresses = FileAddresses(objects=objects, links=links, public_url=public_url)

    def run(self, caller: Caller, cluster: str, run_id: str | None = None) -> ClusterRun:
        """Return a completed run, the latest when none is named.

        Raises `ClusterNotFound`, `ExecutionNotFound`, and `ArtifactNotFound` while the run has not completed.
        """
        with self._open_unit_of_work() as uow:
            if run_id is None:
                found = find_cluster(uow, caller, cluster)
                run = uow.cluster_runs.latest_completed(found.cluster_id)
                if run is None:
                    message = "No execution of this cluster has completed yet."
                    raise ArtifactNotFound(message, detail={"cluster_id": found.cluster_id})
            else:
                run = find_run(uow, caller, cluster, run_id)
        if run.status != ExecutionStatus.COMPLETED:
            message = f"The execution is {run.status}; artifacts exist once it has completed."
            raise ArtifactNotFound(message, detail={"run_id": run.run_id, "status": run.status})
        return run

    def centroid_vectors(self, run: ClusterRun) -> dict[str, npt.NDArray[np.float32]]:
        """Return the vector of each group; noise has none."""
        found: dict[str, npt.NDArray[np.float32]] = {}
        for batch in self._read(run, CENTROIDS, columns=["cluster_id", "centroid_vector"]):
            pairs = zip(batch["cluster_id"], batch["centroid_vector"], strict=True)
            found.update({cluster_id: vector for cluster_id, vector in pairs if vector is not None})
        return found

    def require_third_dimension(self, run: ClusterRun) -> None:
        """Raise `InvalidFields` when the run's map is flat, or was put off."""
        dimensions = run.effective["map"]["dimensions"]
        if dimensions != SOLID:
            what = "no map" if dimensions is None else f"a map of {dimensions} dimensions"
            message = f"this run made {what}; run the cluster with vis_n_components 3"
            raise InvalidFields.field("query", "projection_method", message=message, value="3d")

    def members(self, run: ClusterRun, wanted: MemberRange) -> Iterator[Mapping[str, Any]]:
        """Yield members in batches of columns, by group and id; flat memory."""
        skip, left = wanted.offset, wanted.limit
        for batch in self._member_batches(run, wanted):
            rows = len(batch["point_id"])
            if skip >= rows:
                skip -= rows
                continue
            end = rows if left is None else min(rows, skip + left)
            yield {name: column[skip:end] for name, column in batch.items()}
            if left is not None:
                left -= end - skip
                if left <= 0:
                    return
            skip = 0

    def _member_batches(self, run: ClusterRun, wanted: MemberRange) -> Iterator[Mapping[str, Any]]:
        """Yield the members of all groups, or of one and those below it; of one feature if asked."""
        feature = wanted.feature
        if wanted.cluster_id is None:
            yield from self._read(run, MEMBERS, where=None if feature is None else ("feature", feature))
            return
        for word in _with_descendants(run, wanted.cluster_id):
            for batch in self._read(run, MEMBERS, where=("cluster_id", member_word(word))):
                yield batch if feature is None else _of_feature(batch, feature)

    def require_feature(self, run: ClusterRun, feature: str | None) -> None:
        """Raise `InvalidFields` when the run did not group by this feature alone; None means all of them."""
        alone: Mapping[str, Any] = run.effective.get("features", {})
        if feature is None or feature in alone:
            return
        known = f"it grouped by {', '.join(sorted(alone))}" if alone else "it did not group each feature by itself"
        message = f"this run has no groups of {feature!r} alone: {known}"
        raise InvalidFields.field("query", "feature", message=message, value=feature)

    def documents(self, run: ClusterRun, *, label: str | None = None) -> Iterator[Mapping[str, Any]]:
        """Yield the exported table without its groups, members of one group (by label or id) if asked.

        Raises `TooLarge` for more rows than a text export may have.
        """
        rows = run.artifacts[MEMBERS]["rows"]  # more than documents where each feature was grouped by itself
        if rows > CSV_ROWS:
            message = f"A CSV export has at most {CSV_ROWS} rows; this run has {rows}. Export Parquet."
            raise TooLarge(message, detail={"rows": rows, "limit": CSV_ROWS})
        return self._document_batches(run, label)

    def _document_batches(self, run: ClusterRun, label: str | None) -> Iterator[Mapping[str, Any]]:
        given = run.renamed_members
        for batch in self._read(run, DOCUMENTS, columns=[*_TEXT_COLUMNS, "is_centroid"]):
            pairs = zip(batch["cluster_id"], batch["cluster_label"], strict=True)
            labels = [given.get(word, label) for word, label in pairs] if given else batch["cluster_label"]
            kept = [
                at
                for at, is_centroid in enumerate(batch["is_centroid"])
                if not is_centroid
                and (label is None or label == labels[at] or is_group(batch["cluster_id"][at], label))
            ]
            if kept:
                shown = {**batch, "cluster_label": labels}
                yield {name: [shown[name][at] for at in kept] for name in _TEXT_COLUMNS}

    def arrow(self, run: ClusterRun, *, max_bytes: int) -> Iterator[tuple[bytes, int]]:
        """Yield the members as Arrow IPC streams of one batch each, with the rows in each."""
        stored = run.artifacts[MEMBERS]
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            yield from self._tables.arrow_messages(path, max_bytes=max_bytes)

    def export(self, run: ClusterRun) -> Export:
        """Return a short-lived address of the run's documents and groups as one Parquet file, with present labels."""
        stored = self._present_documents(run)
        filename = f"{DOCUMENTS}_{run.run_id}.parquet"
        return Export(
            url=self._addresses.of(stored["key"], filename=filename, seconds=LINK_SECONDS),
            filename=filename,
            expires_at=self._clock.now().replace(microsecond=0) + timedelta(seconds=LINK_SECONDS),
            size_bytes=stored["bytes"],
            sha256=stored["sha256"],
            rows=stored["rows"],
        )

    def _present_documents(self, run: ClusterRun) -> JsonObject:
        """Return where the exported table lies; with names that people gave, a copy that is made when it is first asked
        for, beside the table and under the hash of the names.
        """
        stored: JsonObject = run.artifacts[DOCUMENTS]
        if not run.label_overrides:
            return stored
        named = hashlib.sha256(json.dumps(run.label_overrides, sort_keys=True).encode()).hexdigest()[:32]
        key = f"{str(stored['key']).removesuffix('.parquet')}_{named}"
        return self._noted_copy(key) or self._named_copy(run, stored, key)

    def _noted_copy(self, key: str) -> JsonObject | None:
        """Return where a copy lies that was made before, if it is still there: the sweep takes old ones away."""
        try:
            copy: JsonObject = json.loads(self._objects.get(f"{key}.json"))
        except ArtifactNotFound:
            return None
        return copy if self._objects.exists(copy["key"]) else None

    def _named_copy(self, run: ClusterRun, stored: JsonObject, key: str) -> JsonObject:
        names = {**run.label_overrides, **run.renamed_members}
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path, self._objects.open_writer() as writer:
            rows = self._tables.relabeled(path, writer, names)
            copy = writer.publish(f"{key}.parquet")
        made = {"key": copy.key, "sha256": copy.sha256, "bytes": copy.size, "rows": rows}
        self._objects.put(f"{key}.json", json.dumps(made).encode())
        return made

    def open_file(self, token: str) -> OpenedFile:
        """Open the file behind a link; raises `FileLinkNotFound` for one that ended, or whose file is gone."""
        link = self._links.open(token)
        size = self._objects.size(link.key)
        return OpenedFile(filename=link.filename, size=size, parts=self._objects.stream(link.key))

    def _read(
        self, run: ClusterRun, name: str, *, columns: list[str] | None = None, where: tuple[str, str] | None = None
    ) -> Iterator[Mapping[str, Any]]:
        stored = run.artifacts[name]
        with self._objects.local_copy(stored["key"], stored["sha256"]) as path:
            yield from self._tables.read(path, columns=columns, where=where)


def _of_feature(batch: Mapping[str, Any], feature: str) -> Mapping[str, Any]:
    kept = [at for at, one in enumerate(batch["feature"]) if one == feature]
    return {name: [column[at] for at in kept] for name, column in batch.items()}


def is_group(cluster_id: str, asked: str) -> bool:
    """Say whether a group is the one that is asked for; noise goes by either of its ids."""
    return member_word(cluster_id) == member_word(asked)


def _with_descendants(run: ClusterRun, cluster_id: str) -> list[str]:
    """Return a group and all groups below it."""
    found = [cluster_id]
    below = {row["cluster_id"]: row.get("child_cluster_ids") or () for row in run.centroids}
    for one in found:
        found.extend(below.get(one, ()))
    return found


_TEXT_COLUMNS = (
    "document_id",
    "collection_id",
    "cluster_id",
    "cluster_label",
    "x",
    "y",
    "z",
    "cosine_similarity_to_centroid",
)
