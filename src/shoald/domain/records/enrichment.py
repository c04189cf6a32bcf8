"""What a run found, written back into documents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMapping:
    """One field of what a run found, and the payload key that it is written to."""

    source: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrichment:
    """One writing back of a run, in batches by a job.

    Documents of `source_collection_ids` are written where they are, or, with a `target_collection_id`, there.
    `partition` stands before the ids of groups when the run read only what its own call chose; else it is empty.
    `position` counts the members of the run that are done, `enriched` the documents that were written, `failed` those
    that are gone, `restored` those that were brought back.
    """

    enrichment_id: str
    namespace_id: str
    cluster_id: str
    run_id: str
    job_id: str
    status: str
    source_collection_ids: tuple[str, ...]
    target_collection_id: str | None
    mappings: tuple[FieldMapping, ...]
    partition: str
    is_automatic: bool
    batch_size: int
    created_at: datetime
    position: int = 0
    enriched: int = 0
    failed: int = 0
    batches: int = 0
    restored: int = 0
    error_code: str | None = None
    error_message: str | None = None
    completed_at: datetime | None = None
    undone_at: datetime | None = None

    @property
    def is_classification(self) -> bool:
        """Whether documents were classified by a taxonomy, whose id stands in the place of the cluster's then."""
        return self.cluster_id.startswith("tax_")

    @property
    def written_collection_ids(self) -> tuple[str, ...]:
        """The collections whose documents are written, in the order in which they are locked."""
        target = self.target_collection_id
        return tuple(sorted(self.source_collection_ids)) if target is None else (target,)
