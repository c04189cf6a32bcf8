"""Taxonomies that are made of a configuration, or like another one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from shoald.application.access import Caller
from shoald.application.clusters import find_cluster
from shoald.application.former_runs import FormerRuns
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.promotion_sources import Promoted, PromotionRequest, RunReference, nodes_of_run
from shoald.application.taxonomies import (
    NewTaxonomy,
    Taxonomies,
    TaxonomyState,
    add_taxonomy,
    check_new,
    default_target,
    find_taxonomy,
    labelled,
    made_taxonomy,
    shown,
    vector_mapping,
)
from shoald.application.taxonomy_configs import FlatChoice, HierarchicalChoice, choice_of
from shoald.application.taxonomy_nodes import NewNode, node_collection, read_nodes
from shoald.domain.failures import ArtifactNotFound, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import LABEL, PARENT
from shoald.domain.overlaps import parents_by_overlap
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import VectorConfig
from shoald.domain.records.taxonomy import Taxonomy

# members of all runs together: each is held for as long as groups are compared
_MOST_COMPARED = 500_000


class TaxonomyMaking:
    """Makes taxonomies in the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, taxonomies: Taxonomies, former_runs: FormerRuns
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._taxonomies = taxonomies
        self._former_runs = former_runs

    def create(self, caller: Caller, new: NewTaxonomy, config: JsonObject) -> TaxonomyState:
        """Make a taxonomy of a configuration; raises as `TaxonomyService.CreateTaxonomy` says."""
        check_new(new)
        with self._open_unit_of_work() as uow:
            state = shown(uow, self._made(uow, caller, new, config))
            uow.commit()
        return state

    def clone(
        self, caller: Caller, id_or_name: str, new: NewTaxonomy, config: JsonObject | None
    ) -> tuple[TaxonomyState, Taxonomy]:
        """Make a taxonomy like another, and return it and the other.

        Without a configuration its nodes are copies, or those of the same collection where that was the caller's own.
        Raises `TaxonomyNotFound`, `Conflict`, and as `create` does.
        """
        check_new(new)
        with self._open_unit_of_work() as uow:
            source = find_taxonomy(uow, caller, id_or_name)
            description = source.description if new.description is None else new.description
            new = replace(new, description=description, metadata=source.metadata, min_score=source.min_score)
            if config is not None:
                made = self._made(uow, caller, new, config)
            elif source.owns_nodes:
                made = self._copied(uow, caller, new, source)
            else:
                node_collection(uow, source)
                made = self._made(uow, caller, new, source.config)
            state = shown(uow, made)
            uow.commit()
        return state, source

    def _made(self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, config: JsonObject) -> Taxonomy:
        choice = choice_of(uow, caller, config)
        if isinstance(choice, HierarchicalChoice):
            return self._hierarchical(uow, caller, new, choice)
        return add_taxonomy(uow, self._over(caller, new, choice))

    def _over(self, caller: Caller, new: NewTaxonomy, choice: FlatChoice) -> Taxonomy:
        """Return a taxonomy over a collection that is not its own, and stays when it goes."""
        collection_id, now = choice.collection.collection_id, self._clock.now()
        made = made_taxonomy(caller, new, collection_id, choice.vector_name, choice.config, now)
        return replace(made, owns_nodes=False)

    def _copied(self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, source: Taxonomy) -> Taxonomy:
        """Store copies of another's nodes; those without a vector match nothing, and are left out."""
        tree, config = read_nodes(uow, source), _vector_config(uow, source)
        nodes = tuple(
            NewNode(
                key=one.node_id,
                label=one.label,
                vector=vector,
                fields={key: value for key, value in one.payload.items() if key not in {LABEL, PARENT}},
                parent_key=one.parent_id,
            )
            for one, vector in zip(tree.nodes, tree.vectors, strict=True)
            if np.isfinite(vector).all()
        )
        if not nodes:
            raise InvalidFields.field("path", "taxonomy_identifier", message="has no nodes that could be copied")
        target = new.target_field or default_target(new.taxonomy_name)
        promoted = Promoted(nodes=nodes, config=config, documents_used=0)
        shape = {**source.config, "enrichment_fields": [labelled(target)]} if source.is_hierarchical else None
        return self._taxonomies.store(uow, caller, new, promoted, shape)

    def _hierarchical(self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, choice: HierarchicalChoice) -> Taxonomy:
        """Store the groups of the clusters' latest runs, one under another where they overlap."""
        runs = [_latest(uow, caller, one) for one in choice.cluster_ids]
        parts = [self._nodes(uow, caller, run) for run in runs]
        first = parts[0].config
        for at, part in enumerate(parts):
            if (part.config.name, part.config.dimension) != (first.name, first.dimension):
                message = f"its groups are in {part.config.name!r}, those of the first in {first.name!r}"
                raise InvalidFields.field("body", "config", "cluster_ids", at, message=message)
        above = self._parents(runs, choice.overlap)
        nodes = tuple(
            _placed(node, run.cluster_id, above) for run, part in zip(runs, parts, strict=True) for node in part.nodes
        )
        target = new.target_field or default_target(new.taxonomy_name)
        shape = {**choice.config(vector_mapping(first.name)), "enrichment_fields": [labelled(target)]}
        promoted = Promoted(nodes=nodes, config=first, documents_used=0)
        return self._taxonomies.store(uow, caller, new, promoted, shape)

    def _nodes(self, uow: UnitOfWork, caller: Caller, run: ClusterRun) -> Promoted:
        reference = RunReference(cluster=run.cluster_id, run_id=run.run_id)
        return nodes_of_run(uow, caller, reference, PromotionRequest(run=reference), self._former_runs.centroids(run))

    def _parents(self, runs: list[ClusterRun], overlap: float) -> dict[str, str]:
        """Return the group of another run that each topmost group lies under, by their keys."""
        if len(runs) == 1:
            return {}
        if (total := sum(run.num_points for run in runs)) > _MOST_COMPARED:
            message = f"their runs have {total} members; at most {_MOST_COMPARED} can be compared"
            raise InvalidFields.field("body", "config", "cluster_ids", message=message)
        members = [self._members(run) for run in runs]
        return parents_by_overlap(members, overlap)

    def _members(self, run: ClusterRun) -> dict[str, frozenset[Any]]:
        """Return the documents of each topmost group, those of the groups under it included."""
        found = self._former_runs.members(run)
        rows = {row["cluster_id"]: row for row in run.centroids}
        groups: dict[str, set[Any]] = {}
        for collection_id, document_id, group in zip(found.collection_ids, found.ids, found.groups, strict=True):
            if group in rows:
                groups.setdefault(_topmost(rows, group), set()).add((collection_id, document_id))
        return {_key(run.cluster_id, group): frozenset(documents) for group, documents in groups.items()}


def _placed(node: NewNode, cluster_id: str, above: dict[str, str]) -> NewNode:
    """Return a node under a key that is no other run's; a topmost one lies under that of another run, if any."""
    key = _key(cluster_id, node.key)
    parent = above.get(key) if node.parent_key is None else _key(cluster_id, node.parent_key)
    return replace(node, key=key, parent_key=parent)


def _key(cluster_id: str, group: str) -> str:
    return f"{cluster_id}:{group}"


def _topmost(rows: dict[str, JsonObject], group: str) -> str:
    while (parent := rows[group].get("parent_cluster_id")) in rows:
        group = parent
    return group


def _latest(uow: UnitOfWork, caller: Caller, cluster: str) -> ClusterRun:
    cluster_id = find_cluster(uow, caller, cluster).cluster_id
    found = uow.cluster_runs.latest_completed(cluster_id)
    run = None if found is None else uow.cluster_runs.get(found.run_id)
    if run is None:
        message = f"The cluster {cluster!r} has no completed execution."
        raise ArtifactNotFound(message, detail={"cluster_id": cluster_id})
    return run


def _vector_config(uow: UnitOfWork, taxonomy: Taxonomy) -> VectorConfig:
    config = node_collection(uow, taxonomy).vector(taxonomy.vector_name)
    if config is None:
        raise InvalidFields.field("path", "taxonomy_identifier", message="has no vector that could be copied")
    return config
