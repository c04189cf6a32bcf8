"""The job of a classification: documents of a collection go in by batches, their nodes are written into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from shoald.application.access import Caller
from shoald.application.classified_values import Classifier, classifier_of
from shoald.application.classifying import filters_of
from shoald.application.enrichment_work import EnrichmentBatch, EnrichmentWriting, held_enrichment
from shoald.application.ports.clock import Clock
from shoald.application.ports.jobs import JobContext
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.application.taxonomies import find_taxonomy
from shoald.domain.records.enrichment import Enrichment
from shoald.domain.records.job import Job


class ClassificationHandler:
    """`JobHandler` of classifications: the nodes, the ids of the documents and one batch are in memory.

    What an attempt that was killed wrote is brought back first: the documents may be others now.
    """

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._writing = EnrichmentWriting(open_unit_of_work=open_unit_of_work, clock=clock)

    def run(self, context: JobContext) -> None:
        """Classify all documents that meet the condition, unless a newer classification writes the same."""
        self._writing.start_over(context)  # before the documents are chosen: a condition may be about what is written
        with self._open_unit_of_work() as uow:
            enrichment = held_enrichment(uow, context)
            classifier = _classifier(uow, enrichment)
            (collection_id,) = enrichment.source_collection_ids
            ids = uow.collections.document_ids(collection_id, filters_of(context.job.payload))
        done = 0
        for batch in self._batches(enrichment, classifier, [one.decode() for one in ids.tolist()]):
            context.progress("classify", done / len(ids), f"{done} of {len(ids)} documents")
            if not self._writing.write(context, batch):
                break
            done += batch.members
        self._writing.complete(context)

    def _batches(self, enrichment: Enrichment, classifier: Classifier, ids: Sequence[str]) -> Iterator[EnrichmentBatch]:
        (collection_id,) = enrichment.source_collection_ids
        name = classifier.taxonomy.vector_name
        for at in range(0, len(ids), enrichment.batch_size):
            some = ids[at : at + enrichment.batch_size]
            with self._open_unit_of_work() as uow:
                held = uow.collections.vectors(collection_id, some, [name])
            vectors = {one: found[name] for one, found in held.items() if name in found}
            yield EnrichmentBatch(members=len(some), values={collection_id: _values(classifier, vectors)})

    def follow(self, uow: UnitOfWork, job: Job) -> None:
        """Move the enrichment along with its job."""
        self._writing.follow(uow, job)


def _classifier(uow: UnitOfWork, enrichment: Enrichment) -> Classifier:
    caller = Caller(namespace_id=enrichment.namespace_id)
    return classifier_of(uow, find_taxonomy(uow, caller, enrichment.cluster_id))


def _values(classifier: Classifier, vectors: dict[str, Any]) -> dict[str, Any]:
    """Return what is written by document; one whose vector is unlike the nodes' is left as it is."""
    usable = {one: vector for one, vector in vectors.items() if vector.shape == (classifier.dimension,)}
    rows = np.array(list(usable.values()), dtype=np.float32).reshape(len(usable), classifier.dimension)
    return {one: classifier.values(found) for one, found in zip(usable, classifier.assigned(rows), strict=True)}
