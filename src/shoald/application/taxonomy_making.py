"""Taxonomies that are made of a configuration, or like another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
)
from shoald.application.taxonomy_configs import FlatChoice, HierarchicalChoice, flat_choice, hierarchical_choice
from shoald.application.taxonomy_nodes import NewNode, node_collection, node_vector, read_nodes
from shoald.domain.failures import ArtifactNotFound, InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import LABEL, PARENT
from shoald.domain.overlaps import parents_by_overlap
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import VectorConfig
from shoald.domain.records.taxonomy import HIERARCHICAL, Taxonomy

# members of all runs together: each is held for as long as groups are compared
_MOST_COMPARED = 500_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _ReadGroups:
    """What the files of runs say: the vector of each run's groups, and the key of what lies above which group's key."""

    choice: HierarchicalChoice
    runs: tuple[ClusterRun, ...]
    centroids: tuple[Mapping[str, Any], ...]
    above: Mapping[str, str]


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
        groups = self._groups(caller, config)
        with self._open_unit_of_work() as uow:
            state = shown(uow, self._made(uow, caller, new, config, groups))
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
            find_taxonomy(uow, caller, id_or_name)
        groups = None if config is None else self._groups(caller, config)
        with self._open_unit_of_work() as uow:
            source = find_taxonomy(uow, caller, id_or_name)
            description = source.description if new.description is None else new.description
            new = replace(new, description=description, metadata=source.metadata, min_score=source.min_score)
            if config is None and source.owns_nodes:
                made = self._copied(uow, caller, new, source)
            else:
                shape = _config_over(uow, source) if config is None else config
                made = self._made(uow, caller, new, shape, groups)
            state = shown(uow, made)
            uow.commit()
        return state, source

    def _groups(self, caller: Caller, config: JsonObject) -> _ReadGroups | None:
        """Read the groups that a hierarchy is made of, outside of transactions: files as large as they are."""
        if config.get("taxonomy_type") != HIERARCHICAL:
            return None
        with self._open_unit_of_work() as uow:
            choice = hierarchical_choice(config)
            latest = [_latest(uow, caller, one) for one in choice.cluster_ids]
        runs = tuple({one.cluster_id: one for one in latest}.values())  # one may be named by its id and by its name
        return _ReadGroups(
            choice=replace(choice, cluster_ids=tuple(one.cluster_id for one in runs)),
            runs=runs,
            centroids=tuple(map(self._former_runs.centroids, runs)),
            above=self._parents(runs, choice.overlap),
        )

    def _made(
        self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, config: JsonObject, groups: _ReadGroups | None
    ) -> Taxonomy:
        if groups is not None:
            return self._hierarchical(uow, caller, new, groups)
        return add_taxonomy(uow, self._over(caller, new, flat_choice(uow, caller, config)))

    def _over(self, caller: Caller, new: NewTaxonomy, choice: FlatChoice) -> Taxonomy:
        """Return a taxonomy over a collection that is not its own, and stays when it goes."""
        collection_id, now = choice.collection.collection_id, self._clock.now()
        made = made_taxonomy(caller, new, collection_id, choice.vector_name, choice.config, now)
        return replace(made, owns_nodes=False)

    def _copied(self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, source: Taxonomy) -> Taxonomy:
        """Store copies of another's nodes; those without a vector match nothing, and are left out."""
        found = node_collection(uow, source)
        tree = read_nodes(uow, source, found)
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
        promoted = Promoted(nodes=nodes, config=node_vector(found, source), documents_used=0)
        shape = _config_of_copy(source, target) if source.is_hierarchical else None
        return self._taxonomies.store(uow, caller, new, promoted, shape)

    def _hierarchical(self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, groups: _ReadGroups) -> Taxonomy:
        """Store the groups of the runs, one under another where they overlap; a run that is gone by now is refused."""
        pairs = zip(groups.runs, groups.centroids, strict=True)
        parts = [_nodes(uow, caller, run, centroids) for run, centroids in pairs]
        first = _alike(parts)
        nodes = tuple(
            _placed(node, run.cluster_id, groups.above)
            for run, part in zip(groups.runs, parts, strict=True)
            for node in part.nodes
        )
        target = new.target_field or default_target(new.taxonomy_name)
        shape = groups.choice.config(first.name, groups.choice.fields or (labelled(target),))
        promoted = Promoted(nodes=nodes, config=first, documents_used=0)
        return self._taxonomies.store(uow, caller, new, promoted, shape)

    def _parents(self, runs: Sequence[ClusterRun], overlap: float) -> dict[str, str]:
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


def _nodes(uow: UnitOfWork, caller: Caller, run: ClusterRun, centroids: Mapping[str, Any]) -> Promoted:
    reference = RunReference(cluster=run.cluster_id, run_id=run.run_id)
    return nodes_of_run(uow, caller, reference, PromotionRequest(run=reference), centroids)


def _alike(parts: Sequence[Promoted]) -> VectorConfig:
    """Return the vector that all groups are in; raises `InvalidFields` for groups of several."""
    first = parts[0].config
    for at, part in enumerate(parts):
        if (part.config.name, part.config.dimension) != (first.name, first.dimension):
            message = f"its groups are in {part.config.name!r}, those of the first in {first.name!r}"
            raise InvalidFields.field("body", "config", "cluster_ids", at, message=message)
    return first


def _placed(node: NewNode, cluster_id: str, above: Mapping[str, str]) -> NewNode:
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


def _config_over(uow: UnitOfWork, source: Taxonomy) -> JsonObject:
    """Return the configuration of a taxonomy over a caller's collection; raises `Conflict` when that is gone."""
    node_collection(uow, source)
    return source.config


def _config_of_copy(source: Taxonomy, target: str) -> JsonObject:
    """Return another's configuration: its own fields are kept, the label goes to the copy's key."""
    fields = source.config["enrichment_fields"]
    is_label_only = fields == [labelled(source.target_field)]
    return {**source.config, "enrichment_fields": [labelled(target)] if is_label_only else fields}
