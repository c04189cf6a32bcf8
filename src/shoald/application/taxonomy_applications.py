"""Taxonomies are attached to collections, and classify what is stored into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from shoald.application.access import Caller
from shoald.application.classified_values import Classifier, written_mappings
from shoald.application.classifying import check_alike
from shoald.application.kept_nodes import KeptNodes
from shoald.application.listing import condition_of
from shoald.application.ports.unit_of_work import UnitOfWork
from shoald.application.taxonomies import find_taxonomy
from shoald.application.taxonomy_nodes import node_collection
from shoald.domain.failures import Conflict, InvalidFields, TaxonomyNotFound
from shoald.domain.filters import Condition, parse_filter
from shoald.domain.filters.evaluation import matches
from shoald.domain.records.collection import Collection, DocumentBatch, VectorColumn
from shoald.domain.records.taxonomy import TaxonomyApplication

FIELD = "taxonomy_applications"
_MOST = 16
_PRIORITIES = range(1000 + 1)
_MODE, _STYLE, _PHASE = "materialize", "combined", 1
_ONLY: Mapping[str, Any] = {
    "execution_mode": _MODE,
    "execution_phase": _PHASE,
    "hierarchical_enrichment_style": _STYLE,
}
_WORDS = ("taxonomy_id", "target_collection_id", "scroll_filters", "priority", *_ONLY)


def attach_taxonomies(uow: UnitOfWork, caller: Caller, collection: Collection, given: Sequence[Any]) -> None:
    """Put these in the place of the taxonomies that a collection is classified by.

    Raises `TaxonomyNotFound`, `Conflict` for one that is not ready, and `InvalidFields` for what cannot be had here.
    """
    if given and collection.index_id is not None:
        message = "cannot be set: the builds of its index replace the documents; use apply-taxonomy after a build"
        raise InvalidFields.field("body", FIELD, message=message)
    if len(given) > _MOST:
        raise InvalidFields.field("body", FIELD, message=f"at most {_MOST} at a time", kind="too_long")
    applications = [_application(uow, caller, collection, one, at) for at, one in enumerate(given)]
    if len({one.taxonomy_id for one in applications}) < len(applications):
        raise InvalidFields.field("body", FIELD, message="names a taxonomy twice")
    applications.sort(key=lambda one: -one.config["priority"])
    uow.taxonomies.attach(
        collection.collection_id, [replace(one, place=place) for place, one in enumerate(applications)]
    )


def _application(uow: UnitOfWork, caller: Caller, collection: Collection, given: Any, at: int) -> TaxonomyApplication:
    where = ("body", FIELD, at)
    if not isinstance(given, Mapping) or not isinstance(given.get("taxonomy_id"), str) or not given["taxonomy_id"]:
        raise InvalidFields.field(*where, "taxonomy_id", message="Field required", kind="missing")
    _check_words(given, where)
    taxonomy = find_taxonomy(uow, caller, given["taxonomy_id"])
    nodes = node_collection(uow, taxonomy)
    if collection.vector_configs:
        check_alike(collection, taxonomy, nodes, FIELD, at, "taxonomy_id")
    config: dict[str, Any] = {
        "taxonomy_id": taxonomy.taxonomy_id,
        "execution_mode": _MODE,
        "execution_phase": _PHASE,
        "priority": int(given.get("priority") or 0),
        "hierarchical_enrichment_style": _STYLE,
    }
    if given.get("scroll_filters"):
        parse_filter(given["scroll_filters"], *where, "scroll_filters")
        config["scroll_filters"] = dict(given["scroll_filters"])
    return TaxonomyApplication(
        collection_id=collection.collection_id,
        taxonomy_id=taxonomy.taxonomy_id,
        namespace_id=taxonomy.namespace_id,
        place=at,
        config=config,
    )


def _check_words(given: Mapping[str, Any], where: tuple[str | int, ...]) -> None:
    """Raise `InvalidFields` for a word that could not be followed here."""
    for name in given:
        if name not in _WORDS:
            message = f"there are {', '.join(_WORDS)}"
            raise InvalidFields.field(*where, name, message=message, kind="extra_forbidden", value=given[name])
    for name, only in _ONLY.items():
        if given.get(name) not in (None, only):  # what is sent need not be hashable
            message = f"must be {only!r}: documents are classified as they are stored, and nothing else follows"
            raise InvalidFields.field(*where, name, message=message, value=given[name])
    if given.get("target_collection_id") is not None:
        message = "cannot be set: documents are classified where they are stored; apply-taxonomy has a target"
        raise InvalidFields.field(*where, "target_collection_id", message=message, value=given["target_collection_id"])
    filters, priority = given.get("scroll_filters"), given.get("priority")
    if filters is not None and not isinstance(filters, Mapping):
        raise InvalidFields.field(*where, "scroll_filters", message="must be an object", kind="dict_type")
    if priority is not None and (isinstance(priority, bool) or priority not in _PRIORITIES):
        message = f"must be a whole number from 0 to {_PRIORITIES[-1]}"
        raise InvalidFields.field(*where, "priority", message=message, value=priority)


@dataclass(slots=True)
class ClassificationOfStored:
    """Classifies the batches that are stored into one collection; says which of its taxonomies could not be used."""

    warnings: list[str] = field(default_factory=list[str])
    _ways: list[tuple[Classifier, Condition | None]] = field(default_factory=list[tuple[Classifier, Condition | None]])

    def of(self, batches: Iterable[DocumentBatch]) -> Iterator[DocumentBatch]:
        """Yield the batches with what the taxonomies say of their documents."""
        for batch in batches:
            yield self._classified(batch) if self._ways else batch

    def _classified(self, batch: DocumentBatch) -> DocumentBatch:
        payloads = list(batch.payloads)
        for classifier, condition in self._ways:
            _refuse_vectors(batch, classifier)
            rows, vectors = _vectors(batch, classifier)
            wanted = [at for at, row in enumerate(rows) if condition is None or matches(condition, payloads[row])]
            found = classifier.assigned(vectors[wanted])
            for at, assignments in zip(wanted, found, strict=True):
                payloads[rows[at]] = {**payloads[rows[at]], **classifier.values(assignments)}
        return replace(batch, payloads=payloads)

    def add(self, uow: UnitOfWork, nodes: KeptNodes, application: TaxonomyApplication) -> None:
        """Find what a taxonomy classifies by; without nodes it is left out, so that documents can be stored."""
        caller = Caller(namespace_id=application.namespace_id)
        try:
            classifier = nodes.classifier(uow, find_taxonomy(uow, caller, application.taxonomy_id))
        except (Conflict, TaxonomyNotFound) as failure:
            self.warnings.append(f"documents are not classified: {failure.message}")
            return
        self._ways.append((classifier, condition_of(application.config.get("scroll_filters"))))


def classification_of_stored(uow: UnitOfWork, nodes: KeptNodes, collection_id: str) -> ClassificationOfStored:
    """Return what classifies documents of a collection by the taxonomies that it has."""
    found = ClassificationOfStored()
    for application in uow.taxonomies.attached([collection_id]).get(collection_id, ()):
        found.add(uow, nodes, application)
    return found


def _refuse_vectors(batch: DocumentBatch, classifier: Classifier) -> None:
    """Raise `Conflict` for vectors that are named as what is written: a collection may get its first ones now."""
    taxonomy = classifier.taxonomy
    clash = {one.name for one in batch.vectors} & {one.target for one in written_mappings(taxonomy)}
    if clash:
        names = ", ".join(sorted(clash))
        message = f"The taxonomy {taxonomy.taxonomy_name!r} writes {names}, which are vectors of these documents."
        raise Conflict(message, detail={"taxonomy_id": taxonomy.taxonomy_id, "vectors": sorted(clash)})


def _vectors(batch: DocumentBatch, classifier: Classifier) -> tuple[list[int], Any]:
    """Return the rows of a batch that have the vector, and those vectors, (m, d) float32."""
    name = classifier.taxonomy.vector_name
    for column in batch.vectors:
        if column.name == name and isinstance(column, VectorColumn) and column.values.shape[1] == classifier.dimension:
            rows = range(len(batch.ids)) if column.rows is None else column.rows.tolist()
            return list(rows), column.values
    return [], np.empty((0, classifier.dimension), dtype=np.float32)
