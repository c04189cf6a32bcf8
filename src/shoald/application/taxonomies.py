"""Taxonomies: made from runs and documents, found, listed, changed and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shoald.application.access import Caller
from shoald.application.collections import refuse_kept_by_index
from shoald.application.document_events import collection_event
from shoald.application.document_vectors import OWN_KEYS
from shoald.application.former_runs import FormerRuns
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.promotion_sources import (
    Promoted,
    PromotionRequest,
    check_source,
    nodes_of_documents,
    nodes_of_run,
    promotable_run,
)
from shoald.application.taxonomy_events import taxonomy_event
from shoald.application.taxonomy_nodes import (
    add_node_collection,
    can_match,
    node_collection,
    read_outline,
    retriever_of,
    store_nodes,
)
from shoald.domain.failures import BadRequest, InvalidFields, TaxonomyNotFound
from shoald.domain.identifiers import looks_like_an_id, new_taxonomy_id
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import LABEL
from shoald.domain.platform_words import EventType
from shoald.domain.records.cluster import ClusterRun
from shoald.domain.records.collection import Collection
from shoald.domain.records.taxonomy import FLAT, Taxonomy, TaxonomyListStats, TaxonomyNode

MOST_SHOWN = 10_000
"""Nodes that are shown with their taxonomy."""
QUERY_INPUT = "query_vector"
VERSION = 1
_PATH_WORDS = frozenset({"list", "execute", "from-documents"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTaxonomy:
    """What a caller says of a new taxonomy."""

    taxonomy_name: str
    description: str | None = None
    target_field: str | None = None
    min_score: float = 0.0
    metadata: JsonObject = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyChanges:
    """What changes in a taxonomy; None leaves it."""

    taxonomy_name: str | None = None
    description: str | None = None
    metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxonomyState:
    """A taxonomy, whether it can be used, how many nodes it has, and the first of them."""

    taxonomy: Taxonomy
    is_ready: bool
    node_count: int
    nodes: tuple[TaxonomyNode, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Promotion:
    """Nodes that were made, of which taxonomy, and whether that was made with them."""

    taxonomy: Taxonomy
    promoted: Promoted
    is_new: bool


class Taxonomies:
    """The taxonomies of the caller's namespace."""

    def __init__(
        self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, cursors: PageCursors, former_runs: FormerRuns
    ) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._former_runs = former_runs

    def promote(self, caller: Caller, new: NewTaxonomy, asked: PromotionRequest) -> Promotion:
        """Make a taxonomy, its node collection and its nodes, or nothing.

        Raises `AlreadyExists`, `ClusterNotFound`, `ExecutionNotFound`, `ArtifactNotFound`, `CollectionNotFound` and
        `InvalidFields`.
        """
        check_source(asked)
        check_new(new)
        with self._open_unit_of_work() as uow:
            run = _run_of(uow, caller, asked)
        centroids = self._centroids(run)
        with self._open_unit_of_work() as uow:
            promoted = _nodes(uow, caller, asked, centroids)
            taxonomy = self.store(uow, caller, new, promoted)
            uow.commit()
        return Promotion(taxonomy=taxonomy, promoted=promoted, is_new=True)

    def add_nodes(self, caller: Caller, id_or_name: str, asked: PromotionRequest) -> Promotion:
        """Add nodes to a taxonomy.

        Raises `TaxonomyNotFound`, `Conflict` for one that is not ready or whose nodes an index keeps, and as `promote`
        does.
        """
        with self._open_unit_of_work() as uow:
            find_taxonomy(uow, caller, id_or_name)
            check_source(asked)
            run = _run_of(uow, caller, asked)
        centroids = self._centroids(run)
        with self._open_unit_of_work() as uow:
            taxonomy = find_taxonomy(uow, caller, id_or_name, lock=True)
            found = node_collection(uow, taxonomy)
            refuse_kept_by_index(found)
            _check_vector(taxonomy, asked)
            promoted = _nodes(uow, caller, replace(asked, vector_name=taxonomy.vector_name), centroids)
            store_nodes(uow, found, taxonomy.vector_name, promoted.nodes, self._clock.now())
            uow.events.add(taxonomy_event(EventType.TAXONOMY_UPDATED, taxonomy, self._clock.now()))
            uow.commit()
        return Promotion(taxonomy=taxonomy, promoted=promoted, is_new=False)

    def store(
        self, uow: UnitOfWork, caller: Caller, new: NewTaxonomy, promoted: Promoted, config: JsonObject | None = None
    ) -> Taxonomy:
        """Store a taxonomy with a node collection of its own, flat unless the configuration says otherwise."""
        now = self._clock.now()
        found = add_node_collection(uow, caller, new.taxonomy_name, promoted.config, now)
        store_nodes(uow, found, promoted.config.name, promoted.nodes, now)
        target = new.target_field or default_target(new.taxonomy_name)
        if target == promoted.config.name:
            message = "is the name of the vector that documents are matched by"
            raise InvalidFields.field("body", "enrichment_target_field", message=message, value=target)
        shape = config or flat_config(found.collection_id, promoted.config.name, [labelled(target)])
        shape = {**shape, "retriever_id": retriever_of(found.collection_id)}
        taxonomy = made_taxonomy(caller, new, found.collection_id, promoted.config.name, shape, now)
        return add_taxonomy(uow, taxonomy)

    def _centroids(self, run: ClusterRun | None) -> Mapping[str, Any]:
        """Return the vector of each group; called outside of transactions, for it reads a file as large as they are."""
        return {} if run is None else self._former_runs.centroids(run)

    def get(self, caller: Caller, id_or_name: str, version: int | None = None) -> TaxonomyState:
        """Return a taxonomy with its nodes; raises `TaxonomyNotFound`."""
        with self._open_unit_of_work() as uow:
            taxonomy = find_taxonomy(uow, caller, id_or_name, version=version)
            return shown(uow, taxonomy)

    def list(self, caller: Caller, query: ListQuery) -> tuple[Page[TaxonomyState], TaxonomyListStats]:
        """Return a page of taxonomies without their nodes, newest first unless sorted, and figures of the list."""
        scope = f"taxonomies/{caller.namespace_id}"
        selection = select_page(query, self._cursors.open(scope, query), condition_of(query.filters))
        with self._open_unit_of_work() as uow:
            rows = _outlines(uow, uow.taxonomies.list(caller.namespace_id, selection))
            stats = uow.taxonomies.stats(caller.namespace_id, selection)
        seal = self._cursors.sealer(scope, query)
        return make_page(rows, query, selection, total=stats.total, seal=seal), stats

    def update(self, caller: Caller, id_or_name: str, changes: TaxonomyChanges) -> TaxonomyState:
        """Change what is said of a taxonomy.

        Raises `TaxonomyNotFound`, `AlreadyExists`, `InvalidFields`, and `BadRequest` when nothing is to change.
        """
        if changes.taxonomy_name is not None:
            _check_name(changes.taxonomy_name)
        with self._open_unit_of_work() as uow:
            found = find_taxonomy(uow, caller, id_or_name, lock=True)
            if changes == TaxonomyChanges():
                raise BadRequest("There is nothing to change: give taxonomy_name, description or metadata.")
            now = self._clock.now()
            said = {name: getattr(changes, name) for name in ("taxonomy_name", "description", "metadata")}
            changed = replace(found, **{k: v for k, v in said.items() if v is not None}, updated_at=now)
            uow.taxonomies.update(changed)
            uow.events.add(taxonomy_event(EventType.TAXONOMY_UPDATED, changed, now))
            state = shown(uow, changed)
            uow.commit()
        return state

    def delete(self, caller: Caller, id_or_name: str) -> Taxonomy:
        """Remove a taxonomy, and its node collection if that was made for it; raises `TaxonomyNotFound`."""
        with self._open_unit_of_work() as uow:
            taxonomy = find_taxonomy(uow, caller, id_or_name, lock=True)
            now = self._clock.now()
            nodes = uow.collections.find(caller.namespace_id, taxonomy.node_collection_id)
            if taxonomy.owns_nodes and nodes is not None:
                uow.collections.delete(nodes.collection_id)
                uow.events.add(collection_event(EventType.COLLECTION_DELETED, nodes, now))
            uow.enrichments.delete(taxonomy.taxonomy_id)
            uow.taxonomies.delete(taxonomy.taxonomy_id)
            uow.events.add(taxonomy_event(EventType.TAXONOMY_DELETED, taxonomy, now))
            uow.commit()
        return taxonomy


def find_taxonomy(
    uow: UnitOfWork, caller: Caller, id_or_name: str, *, lock: bool = False, version: int | None = None
) -> Taxonomy:
    """Return a taxonomy of the caller's namespace; raises `TaxonomyNotFound`, for a version that there is not too."""
    found = uow.taxonomies.find(caller.namespace_id, id_or_name, lock=lock)
    if found is None or version not in {None, found.version}:
        which = "" if found is None else f" in version {version}"
        message = f"There is no taxonomy {id_or_name!r}{which}."
        raise TaxonomyNotFound(message, detail={"taxonomy": id_or_name})
    return found


def _run_of(uow: UnitOfWork, caller: Caller, asked: PromotionRequest) -> ClusterRun | None:
    return None if asked.run is None else promotable_run(uow, caller, asked.run)[1]


def _nodes(uow: UnitOfWork, caller: Caller, asked: PromotionRequest, centroids: Mapping[str, Any]) -> Promoted:
    if asked.run is None:
        return nodes_of_documents(uow, caller, asked)
    return nodes_of_run(uow, caller, asked.run, asked, centroids)


def shown(uow: UnitOfWork, taxonomy: Taxonomy) -> TaxonomyState:
    """Return a taxonomy with its nodes; those above come first, so that what is shown lies under what is shown."""
    nodes = read_outline(uow, taxonomy).nodes[:MOST_SHOWN]
    (state,) = _outlines(uow, [taxonomy])
    return replace(state, nodes=nodes)


def _outlines(uow: UnitOfWork, found: Sequence[Taxonomy]) -> list[TaxonomyState]:
    """Return taxonomies without their nodes."""
    if not found:
        return []
    namespace_id = found[0].namespace_id
    there = {
        one.collection_id: one
        for one in uow.collections.get_many(namespace_id, [one.node_collection_id for one in found])
    }
    return [_outline(one, there.get(one.node_collection_id)) for one in found]


def _outline(taxonomy: Taxonomy, nodes: Collection | None) -> TaxonomyState:
    """Return a taxonomy without its nodes; it is ready where documents can be matched with them."""
    return TaxonomyState(
        taxonomy=taxonomy,
        is_ready=nodes is not None and can_match(nodes, taxonomy),
        node_count=0 if nodes is None else nodes.document_count,
    )


def add_taxonomy(uow: UnitOfWork, taxonomy: Taxonomy) -> Taxonomy:
    """Store a taxonomy; raises `AlreadyExists`."""
    uow.taxonomies.add(taxonomy)
    uow.events.add(taxonomy_event(EventType.TAXONOMY_CREATED, taxonomy, taxonomy.created_at))
    return taxonomy


def made_taxonomy(
    caller: Caller, new: NewTaxonomy, node_collection_id: str, vector_name: str, config: JsonObject, at: datetime
) -> Taxonomy:
    """Return a taxonomy whose nodes were made for it."""
    return Taxonomy(
        taxonomy_id=new_taxonomy_id(),
        namespace_id=caller.namespace_id,
        taxonomy_name=new.taxonomy_name,
        description=new.description,
        version=VERSION,
        config=config,
        metadata=new.metadata,
        node_collection_id=node_collection_id,
        vector_name=vector_name,
        owns_nodes=True,
        target_field=new.target_field or default_target(new.taxonomy_name),
        min_score=new.min_score,
        created_at=at,
        updated_at=at,
    )


def default_target(taxonomy_name: str) -> str:
    """Return the documented key that labels are written to; dots, by which filters look within objects, go.

    >>> default_target("topics"), default_target("v1.2")
    ('topics_label', 'v1_2_label')
    """
    return f"{taxonomy_name.replace('.', '_')}_label"


def labelled(target: str) -> JsonObject:
    """Return that a node's label is written to a key, in the shape of the document."""
    return {"field_path": LABEL, "target_field": target, "merge_mode": "replace"}


def flat_config(collection_id: str, vector_name: str, fields: Sequence[JsonObject]) -> JsonObject:
    """Return the documented configuration of a flat taxonomy."""
    return {
        "taxonomy_type": FLAT,
        "retriever_id": retriever_of(collection_id),
        "input_mappings": [vector_mapping(vector_name)],
        "source_collection": {"collection_id": collection_id, "enrichment_fields": list(fields)},
        "top_k": 1,
    }


def vector_mapping(vector_name: str) -> JsonObject:
    """Return that a node is searched for with a document's vector, in the shape of the document."""
    return {"input_key": QUERY_INPUT, "source_type": "vector", "path": vector_name}


def check_new(new: NewTaxonomy) -> None:
    """Raise `InvalidFields` for a name or a key that could not be used."""
    _check_name(new.taxonomy_name)
    if new.target_field is not None:
        check_target(new.target_field, "enrichment_target_field")


def check_target(target: str, *where: str | int) -> None:
    """Raise `InvalidFields` for a key that documents cannot have, or that filters could not name."""
    if target in OWN_KEYS or "." in target:
        message = f"the key must hold no dots, and be none of {', '.join(sorted(OWN_KEYS))}"
        raise InvalidFields.field("body", *where, message=message, value=target)


def _check_name(name: str) -> None:
    message = None
    if looks_like_an_id(name):
        message = "a name must not look like an id"
    elif name.lower() in _PATH_WORDS:
        message = f"{name!r} is a word of this API's paths and cannot be a name"
    elif name in {".", ".."} or "/" in name or name != name.strip() or not name.isprintable():
        message = "a name must not be dots alone, nor hold slashes, control characters or outer spaces"
    if message is not None:
        raise InvalidFields.field("body", "taxonomy_name", message=message, value=name)


def _check_vector(taxonomy: Taxonomy, asked: PromotionRequest) -> None:
    if asked.vector_name not in {None, taxonomy.vector_name}:
        message = f"the nodes of this taxonomy have the vector {taxonomy.vector_name!r}"
        raise InvalidFields.field("body", "vector_name", message=message, value=asked.vector_name)
