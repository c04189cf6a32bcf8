"""Documents are classified by taxonomies: some that are sent, at once, and those of a collection, by a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.access import Caller
from shoald.application.classified_values import Classifier, written_mappings
from shoald.application.collections import find_collection, find_or_add_collection, refuse_kept_by_index
from shoald.application.enriching import UNDOABLE
from shoald.application.enrichment_fields import partition_of_filters
from shoald.application.jobs import JobRequest, Jobs
from shoald.application.kept_nodes import KeptNodes
from shoald.application.listing import Selection, condition_of
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.taxonomies import find_taxonomy
from shoald.application.taxonomy_nodes import node_collection
from shoald.domain.failures import Conflict, EnrichmentNotFound, InvalidFields
from shoald.domain.filters import parse_filter
from shoald.domain.filters.evaluation import matches
from shoald.domain.identifiers import new_enrichment_id
from shoald.domain.json_types import JsonObject
from shoald.domain.node_matching import Assignment
from shoald.domain.records.collection import Collection
from shoald.domain.records.enrichment import Enrichment
from shoald.domain.records.job import Job
from shoald.domain.records.taxonomy import Taxonomy
from shoald.domain.vocabulary import EnrichmentStatus, JobType, VectorKind

BATCH_SIZE = 1000
Vector = npt.NDArray[np.float32]
Reference = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifiedDocument:
    """A document that was sent, its nodes, and what would be written; without a vector neither."""

    document: JsonObject
    assignments: tuple[Assignment, ...]
    values: JsonObject
    has_vector: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassificationRequest:
    """Which documents of a collection are classified, and where that is written; without a target where they are."""

    taxonomy: str
    filters: JsonObject | None = None
    target: str | None = None
    batch_size: int = BATCH_SIZE


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedClassification:
    """An accepted classification: its enrichment and job, and how many documents are to be looked at."""

    enrichment: Enrichment
    job: Job
    collection_id: str
    documents: int


class Classifying:
    """Classifies documents of the caller's namespace."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, jobs: Jobs, nodes: KeptNodes) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._jobs = jobs
        self._nodes = nodes

    def try_out(
        self,
        caller: Caller,
        taxonomy: str,
        documents: Sequence[JsonObject],
        *,
        filters: JsonObject | None = None,
        version: int | None = None,
    ) -> tuple[Taxonomy, list[ClassifiedDocument]]:
        """Classify documents that are sent, in their order, and write nothing.

        Raises `TaxonomyNotFound`, `Conflict`, and `InvalidFields` for a vector that is unlike the nodes'.
        """
        condition = parse_filter(filters, "body", "scroll_filters")
        with self._open_unit_of_work() as uow:
            classifier = self._nodes.classifier(uow, find_taxonomy(uow, caller, taxonomy, version=version))
            vectors = _vectors_of(uow, caller, classifier, documents)
        wanted = [condition is None or matches(condition, one) for one in documents]
        rows = [at for at, vector in enumerate(vectors) if vector is not None and wanted[at]]
        stacked = np.array([vectors[at] for at in rows], dtype=np.float32).reshape(len(rows), classifier.dimension)
        found = dict(zip(rows, classifier.assigned(stacked), strict=True))
        return classifier.taxonomy, [
            ClassifiedDocument(
                document=one,
                assignments=tuple(found.get(at, ())),
                values=classifier.values(found[at]) if at in found else {},
                has_vector=vectors[at] is not None,
            )
            for at, one in enumerate(documents)
        ]

    def apply(self, caller: Caller, collection: str, asked: ClassificationRequest) -> StartedClassification:
        """Accept that the documents of a collection are classified.

        Raises `CollectionNotFound`, `TaxonomyNotFound`, `Conflict` for a taxonomy that is not ready or a target that an
        index keeps, and `InvalidFields` for a collection without the vector.
        """
        condition = parse_filter(asked.filters, "body", "scroll_filters")
        with self._open_unit_of_work() as uow:
            found = find_collection(uow, caller, collection)
            taxonomy = find_taxonomy(uow, caller, asked.taxonomy)
            check_alike(found, taxonomy, node_collection(uow, taxonomy), "taxonomy_id")
            target = self._target(uow, caller, found, taxonomy, asked.target)
            count = uow.collections.count_documents([found.collection_id], Selection(limit=1, condition=condition))
            pending = self._pending(taxonomy, found, target, asked)
            job = self._jobs.accept(uow, _job_request(pending, JobType.TAXONOMY_ENRICHMENT, asked.filters))
            accepted = replace(pending, job_id=job.job_id)
            uow.enrichments.add(accepted)
            uow.commit()
        self._jobs.dispatch(job)
        return StartedClassification(enrichment=accepted, job=job, collection_id=found.collection_id, documents=count)

    def _target(
        self, uow: UnitOfWork, caller: Caller, found: Collection, taxonomy: Taxonomy, name: str | None
    ) -> str | None:
        if name is None:
            return None
        target = find_or_add_collection(uow, caller, name, self._clock.now())
        if target.collection_id == found.collection_id:
            return None
        refuse_kept_by_index(target)
        if target.collection_id == taxonomy.node_collection_id:
            message = "holds the nodes of this taxonomy; what is copied there would be nodes too"
            raise InvalidFields.field("body", "target_collection_id", message=message, value=name)
        refuse_clash(target, taxonomy, "target_collection_id")
        return target.collection_id

    def _pending(
        self, taxonomy: Taxonomy, found: Collection, target: str | None, asked: ClassificationRequest
    ) -> Enrichment:
        return Enrichment(
            enrichment_id=new_enrichment_id(),
            namespace_id=taxonomy.namespace_id,
            cluster_id=taxonomy.taxonomy_id,
            run_id="",
            job_id="",
            status=EnrichmentStatus.PENDING.value,
            source_collection_ids=(found.collection_id,),
            target_collection_id=target,
            mappings=written_mappings(taxonomy),
            partition=partition_of_filters(asked.filters),
            is_automatic=False,
            batch_size=asked.batch_size,
            created_at=self._clock.now(),
        )

    def get(self, caller: Caller, taxonomy: str, enrichment_id: str) -> Enrichment:
        """Return an enrichment; raises `TaxonomyNotFound` or `EnrichmentNotFound`."""
        with self._open_unit_of_work() as uow:
            return _found(uow, caller, taxonomy, enrichment_id)

    def undo(self, caller: Caller, taxonomy: str, enrichment_id: str) -> Enrichment:
        """Accept that what was written is taken back; what was changed since stays as it is.

        Raises `TaxonomyNotFound`, `EnrichmentNotFound`, and `Conflict` while it is at work or when nothing is kept of
        what was there before.
        """
        with self._open_unit_of_work() as uow:
            enrichment = _found(uow, caller, taxonomy, enrichment_id, lock=True)
            if enrichment.status not in UNDOABLE:
                message = f"The enrichment is {enrichment.status}; it can be undone once it has ended, and only once."
                raise Conflict(message, detail={"enrichment_id": enrichment_id, "status": enrichment.status})
            job = self._jobs.accept(uow, _job_request(enrichment, JobType.ENRICHMENT_UNDO))
            uow.enrichments.change(enrichment_id, status=EnrichmentStatus.UNDOING.value, job_id=job.job_id)
            changed = _found(uow, caller, taxonomy, enrichment_id)
            uow.commit()
        self._jobs.dispatch(job)
        return changed


def check_alike(found: Collection, taxonomy: Taxonomy, nodes: Collection, *where: str | int) -> None:
    """Raise `InvalidFields` for a collection whose documents cannot be matched, or have a vector named as what is
    written.
    """
    mine, theirs = found.vector(taxonomy.vector_name), nodes.vector(taxonomy.vector_name)
    if mine is None or theirs is None or mine.kind != VectorKind.DENSE or mine.dimension != theirs.dimension:
        width = 0 if theirs is None else theirs.dimension
        names = ", ".join(f"{one.name} ({one.kind}, {one.dimension})" for one in found.vector_configs) or "none"
        message = f"needs a dense vector {taxonomy.vector_name!r} of {width} components; the collection has {names}"
        raise InvalidFields.field("body", *where, message=message, value=taxonomy.taxonomy_id)
    refuse_clash(found, taxonomy, *where)


def refuse_clash(found: Collection, taxonomy: Taxonomy, *where: str | int) -> None:
    """Raise `InvalidFields` for a collection that has a vector named as what a taxonomy writes."""
    clash = {one.target for one in written_mappings(taxonomy)} & {one.name for one in found.vector_configs}
    if clash:
        message = f"would write the keys {', '.join(sorted(clash))}, which are vectors of the collection"
        raise InvalidFields.field("body", *where, message=message, value=taxonomy.taxonomy_id)


def _vectors_of(
    uow: UnitOfWork, caller: Caller, classifier: Classifier, documents: Sequence[JsonObject]
) -> list[Vector | None]:
    """Return for each document the vector that was sent with it, else the one that is stored for it."""
    sent = [_sent(classifier, at, one) for at, one in enumerate(documents)]
    named = [None if vector is not None else _reference(one) for one, vector in zip(documents, sent, strict=True)]
    stored = _stored(uow, caller, classifier, [one for one in named if one is not None])
    return [vector if one is None else stored.get(one) for one, vector in zip(named, sent, strict=True)]


def _sent(classifier: Classifier, at: int, document: JsonObject) -> Vector | None:
    """Return the vector in a document, None without; raises `InvalidFields` for one that is unlike the nodes'."""
    name = classifier.taxonomy.vector_name
    vectors = document.get("vectors")
    given = vectors.get(name) if isinstance(vectors, Mapping) else None
    given = document.get(name) if given is None else given
    if given is None:
        return None
    where = ("body", "source_documents", at, name)
    if not isinstance(given, list) or not all(_is_number(one) for one in given):
        raise InvalidFields.field(*where, message="must be a list of numbers", kind="list_type")
    if len(given) != classifier.dimension:
        message = f"has {len(given)} components; the nodes have {classifier.dimension}"
        raise InvalidFields.field(*where, message=message)
    with np.errstate(over="ignore"):
        vector = np.asarray(given, dtype=np.float32)
    if not np.isfinite(vector).all():  # near to no node, which would read as a document of no group
        raise InvalidFields.field(*where, message="holds a number that is no finite one of single precision")
    return vector


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _reference(document: JsonObject) -> Reference | None:
    """Return the collection, by id or name, and the id that a document says it is stored under."""
    collection, document_id = document.get("collection_id"), document.get("document_id")
    return (collection, document_id) if isinstance(collection, str) and isinstance(document_id, str) else None


def _stored(
    uow: UnitOfWork, caller: Caller, classifier: Classifier, named: Sequence[Reference]
) -> dict[Reference, Vector]:
    """Return the stored vectors that can be matched; those of other namespaces, and of others' lengths, are not."""
    name, found = classifier.taxonomy.vector_name, dict[Reference, Vector]()
    there = uow.collections.find_many(caller.namespace_id, [word for word, _ in named]) if named else {}
    for word, collection in there.items():
        ids = list(dict.fromkeys(document_id for one, document_id in named if one == word))
        held = uow.collections.vectors(collection.collection_id, ids, [name])
        for document_id, vectors in held.items():
            vector: Any = vectors.get(name)
            if isinstance(vector, np.ndarray) and vector.shape == (classifier.dimension,):
                found[word, document_id] = vector
    return found


def _job_request(enrichment: Enrichment, job_type: JobType, filters: JsonObject | None = None) -> JobRequest:
    return JobRequest(
        job_type=job_type,
        payload={
            "taxonomy_id": enrichment.cluster_id,
            "enrichment_id": enrichment.enrichment_id,
            "collection_ids": list(enrichment.source_collection_ids),
            "scroll_filters": filters,
        },
        caller=Caller(namespace_id=enrichment.namespace_id),
    )


def filters_of(payload: JsonObject) -> Any:
    """Return the condition that documents of a job must meet, None for all."""
    return condition_of(payload.get("scroll_filters"))


def _found(uow: UnitOfWork, caller: Caller, taxonomy: str, enrichment_id: str, *, lock: bool = False) -> Enrichment:
    taxonomy_id = find_taxonomy(uow, caller, taxonomy).taxonomy_id
    found = uow.enrichments.get(enrichment_id, lock=lock)
    if found is None or found.cluster_id != taxonomy_id:
        message = f"There is no enrichment {enrichment_id!r} of this taxonomy."
        raise EnrichmentNotFound(message, detail={"taxonomy_id": taxonomy_id, "enrichment_id": enrichment_id})
    return found
