"""Runs that group by attributes: payloads go in; groups of equal values, and a map of them side by side, come out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from shoald.application.cluster_inputs import ClusterInput, part_of
from shoald.application.cluster_naming import SHOWN_TO_NAMING, ClusterNaming, FoundGroups
from shoald.application.cluster_results import ClusterResult
from shoald.application.cluster_work import Work
from shoald.application.group_refining import payloads_of
from shoald.application.listing import condition_of
from shoald.application.memory_promises import MemoryPromises
from shoald.application.ports.unit_of_work import OpenUnitOfWork
from shoald.domain.clustering.attribute_groups import AttributeGroups, attribute_groups
from shoald.domain.clustering.group_tree import ROOT, GroupTree
from shoald.domain.clustering.map_keeping import packed_places
from shoald.domain.clustering.memory import planned_attributes
from shoald.domain.clustering.quality import metrics_of_sizes
from shoald.domain.failures import NotEnoughPoints
from shoald.domain.records.collection import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeRuns:
    """Does runs that group by attributes; their documents need no vectors."""

    open_unit_of_work: OpenUnitOfWork
    naming: ClusterNaming
    memory: MemoryPromises

    def result(self, work: Work, collections: Sequence[Collection]) -> ClusterResult:
        """Group the documents that meet the conditions."""
        parameters = work.spec.attributes
        assert parameters is not None
        given = self._input(work, collections)
        work = self.memory.promised(work, planned_attributes(len(given.ids)))
        work.stage("cluster", "reading attributes")
        found = attribute_groups(payloads_of(self.open_unit_of_work, given, given.sampled), parameters)
        tree = found.tree
        nearest = [rows[:SHOWN_TO_NAMING] for rows in tree.members()]
        names = self.naming.name(work, FoundGroups(given=given, tree=tree, nearest=nearest))
        labels = zip(names.names, found.labels, strict=True)
        kept = tuple(name if name.is_model else replace(name, label=label) for name, label in labels)
        names = replace(names, names=kept)
        dimensions = work.spec.map_dimensions
        return ClusterResult(
            given=given,
            tree=tree,
            probabilities=(tree.labels != ROOT).astype(np.float32),
            centres=None,
            variances=None,
            metrics=_metrics(tree),
            coordinates=None if dimensions is None else packed_places(tree.labels, len(tree), dimensions),
            names=names,
            nearest=nearest,
            effective={**_effective(work, found, dimensions), "memory": work.memory},
            warnings=_warnings(tree, len(parameters.attributes)),
        )

    def _input(self, work: Work, collections: Sequence[Collection]) -> ClusterInput:
        step = work.stage("snapshot", "reading documents")
        found = [self._ids(one, work, part_of(step, at, len(collections))) for at, one in enumerate(collections)]
        ids = np.concatenate([np.asarray(part, dtype=np.bytes_) for part in found])
        if not len(ids):
            raise NotEnoughPoints(
                "There are no documents to cluster.",
                detail={"collection_ids": [one.collection_id for one in collections]},
            )
        places = np.repeat(np.arange(len(found), dtype=np.int32), [len(part) for part in found])
        record = {
            "collections": [read_record(one) for one in collections],
            "features": [],
            "filters": work.spec.filters,
            "sample_size": None,
            "sample_seed": None,
        }
        content = hashlib.sha256(repr([(one.collection_id, one.revision) for one in collections]).encode())
        content.update(b"\0".join(ids.tolist()))
        return ClusterInput(
            collections=tuple(collections),
            ids=ids,
            places=places,
            vectors=np.empty((0, 0), dtype=np.float32),
            rows=np.arange(len(ids)),
            features=(),
            source_documents=len(ids),
            vectors_retrieved=len(ids),
            content=content.hexdigest(),
            record=record,
        )

    def _ids(self, collection: Collection, work: Work, step: Callable[[float], None]) -> Any:
        with self.open_unit_of_work() as uow:
            ids = uow.collections.document_ids(collection.collection_id, condition_of(work.spec.filters))
        step(1.0)
        return ids


def read_record(collection: Collection) -> dict[str, Any]:
    """Say which state of a collection a run read."""
    return {
        "collection_id": collection.collection_id,
        "revision": collection.revision,
        "index_id": collection.index_id,
        "index_build_id": collection.index_build_id,
        "snapshots": {},
    }


def _metrics(tree: GroupTree) -> dict[str, Any]:
    """Return the figures that need no vectors."""
    return {**metrics_of_sizes(tree.first_sizes, len(tree.labels)), "should_recluster": 0.0}


def _effective(work: Work, found: AttributeGroups, dimensions: int | None) -> dict[str, Any]:
    parameters = work.spec.attributes
    assert parameters is not None
    return {
        "algorithm": "attribute_based",
        "algorithm_params": {
            "attributes": list(parameters.attributes),
            "hierarchical_grouping": parameters.hierarchical,
            "aggregation_method": parameters.aggregation,
        },
        "notes": {"levels": found.tree.depth, "groups_of_all_levels": len(found.tree)},
        "map": {
            "dimensions": dimensions,
            "method": "none" if dimensions is None else "packed",
            "layout_stability_applied": "none",
            "layout_stability_reason": "groups by attributes lie side by side, the largest in the middle",
        },
    }


def _warnings(tree: GroupTree, attributes: int) -> tuple[str, ...]:
    without = int((tree.labels == ROOT).sum())
    what = "the attribute" if attributes == 1 else "an attribute that is needed"
    return (f"{without} documents have no value of {what} and are in no group",) if without else ()
