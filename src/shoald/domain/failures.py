"""Everything that can go wrong and is foreseen: one class per documented code, none of which knows a status.

The docstring of a class is its default message. `transport/failure_table.py` gives each class its gRPC status, HTTP
status
and body; a test walks all subclasses and finds each in that table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from shoald.domain.json_types import JsonObject


class Failure(Exception):  # noqa: N818 - a failure is the domain's word; it is no error of ours
    """The request failed."""

    code: ClassVar[str] = "failure"

    def __init__(
        self, message: str | None = None, *, detail: JsonObject | None = None, hint: str | None = None
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.detail: dict[str, Any] = dict(detail or {})
        self.hint = hint
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field of a request that is not as it should be.

    `loc` starts with where the field stands (`body`, `query` or `path`), then names and positions; `kind` is one of the
    documented types (`missing`, `string_too_short`, `int_parsing`, `greater_than_equal`, `value_error` …).
    """

    loc: tuple[str | int, ...]
    kind: str
    message: str
    input: Any = None


class InvalidFields(Failure):
    """The request has invalid fields."""

    code = "validation_error"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{'.'.join(map(str, p.loc))}: {p.message}" for p in self.problems))

    @classmethod
    def field(cls, *loc: str | int, message: str, kind: str = "value_error", value: Any = None) -> InvalidFields:
        """Build the failure for one field: `InvalidFields.field("body", "k", message="must be at least 1")`."""
        return cls([FieldProblem(loc, kind, message, value)])

    def within(self, *place: str | int) -> InvalidFields:
        """Return the same said of a part of a body: each path begins at its place instead of the whole.

        >>> print(InvalidFields.field("body", "k", message="must be at least 1").within("body", "strategies", 0))
        body.strategies.0.k: must be at least 1
        """
        return InvalidFields([replace(one, loc=(*place, *one.loc[1:])) for one in self.problems])


# What kind of failure it is decides its status; leaves below give it a documented code.


class NotFound(Failure):
    """There is no such thing."""

    code = "not_found"


class BadRequest(Failure):
    """The request asks for something that cannot be done."""

    code = "bad_request"


class Conflict(Failure):
    """The request contradicts the present state."""

    code = "conflict"


class AlreadyExists(Conflict):
    """There is one of that name already."""

    code = "already_exists"


class Unauthenticated(Failure):
    """The request carries no valid key."""

    code = "unauthenticated"


class PermissionDenied(Failure):
    """The key does not allow this."""

    code = "permission_denied"


class TooLarge(Failure):
    """The request is larger than this installation allows."""

    code = "request_too_large"


class Busy(Failure):
    """Too many calls of this kind are running; try again shortly."""

    code = "too_many_requests"

    def __init__(
        self, message: str | None = None, *, retry_after_seconds: float = 1.0, detail: JsonObject | None = None
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, detail=detail)


class Unavailable(Failure):
    """A part of the service is not available; try again."""

    code = "unavailable"

    def __init__(
        self, message: str | None = None, *, retry_after_seconds: float = 1.0, detail: JsonObject | None = None
    ) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(message, detail=detail)


class DeadlineExceeded(Failure):
    """The work was not done before its deadline."""

    code = "deadline_exceeded"


class Unsupported(Failure):
    """This is not supported."""

    code = "unsupported"


class MissingDependency(Failure):
    """An engine that this needs is not installed or not configured."""

    code = "missing_dependency"


class Broken(Failure):
    """Something that should hold does not."""

    code = "internal_error"


class ProjectNotFound(NotFound):
    """Project not found."""

    code = "project_not_found"


class DocumentNotFound(NotFound):
    """Document not found."""

    code = "document_not_found"


class DocumentVersionNotFound(NotFound):
    """Document version not found."""

    code = "document_version_not_found"


class SegmentSetNotFound(NotFound):
    """Segment set not found."""

    code = "segment_set_not_found"


class SegmentItemNotFound(NotFound):
    """Segment item not found."""

    code = "segment_item_not_found"


class ChunkSetNotFound(NotFound):
    """Chunk set not found."""

    code = "chunk_set_not_found"


class ChunkItemNotFound(NotFound):
    """Chunk item not found."""

    code = "chunk_item_not_found"


class IndexNotFound(NotFound):
    """Index not found."""

    code = "index_not_found"


class IndexBuildNotFound(NotFound):
    """Index build not found."""

    code = "index_build_not_found"


class RetrievalRunNotFound(NotFound):
    """Retrieval run not found."""

    code = "retrieval_run_not_found"


class EvaluationNotFound(NotFound):
    """Evaluation not found."""

    code = "evaluation_not_found"


class JobNotFound(NotFound):
    """Job not found."""

    code = "job_not_found"


class ListTooLong(BadRequest):
    """The list is too long for one answer."""

    code = "list_too_long"


class UnsupportedLoader(BadRequest):
    """Unsupported loader."""

    code = "unsupported_loader"


class InvalidLoaderParams(BadRequest):
    """The loader cannot work with these parameters or this file."""

    code = "invalid_loader_params"


class UnsupportedChunkStrategy(BadRequest):
    """Unsupported chunk strategy."""

    code = "unsupported_chunk_strategy"


class InvalidChunkerParams(BadRequest):
    """The chunker cannot work with these parameters."""

    code = "invalid_chunker_params"


class UnsupportedTarget(BadRequest):
    """This strategy cannot search that target."""

    code = "unsupported_target"


class InvalidTarget(BadRequest):
    """This strategy needs another target."""

    code = "invalid_target"


class MissingTargetId(BadRequest):
    """This strategy needs a target_id."""

    code = "missing_target_id"


class InvalidEnsembleSources(BadRequest):
    """The sources of this ensemble cannot be fused."""

    code = "invalid_ensemble_sources"


class EmptyChunkSet(BadRequest):
    """The chunk set has no items."""

    code = "empty_chunk_set"


class InvalidIndexConfig(BadRequest):
    """The index configuration cannot be used."""

    code = "invalid_index_config"


class IndexBuildNotReady(BadRequest):
    """The index build has not succeeded, so it cannot be searched."""

    code = "index_build_not_ready"


class ProviderUnsupported(Unsupported):
    """Unsupported index provider."""

    code = "provider_unsupported"


class EmbeddingFailed(Broken):
    """The embedding provider returned no usable vectors."""

    code = "embedding_failure"


class RerankingFailed(Broken):
    """The reranker returned no usable scores."""

    code = "reranking_failure"


class MissingFaissArtifact(Broken):
    """The FAISS file of this build is missing or damaged."""

    code = "missing_faiss_artifact"


class DataCorrupt(Broken):
    """A stored object does not match its checksum."""

    code = "data_corrupt"


class StorageFull(Unavailable):
    """The storage is full."""

    code = "storage_full"


class NamespaceNotFound(NotFound):
    """Namespace not found."""

    code = "namespace_not_found"


class CollectionNotFound(NotFound):
    """Collection not found."""

    code = "collection_not_found"


class CollectionDocumentNotFound(NotFound):
    """Document not found."""

    code = "collection_document_not_found"


class ClusterNotFound(NotFound):
    """Cluster not found."""

    code = "cluster_not_found"


class EnrichmentNotFound(NotFound):
    """Enrichment not found."""

    code = "enrichment_not_found"


class TaxonomyNotFound(NotFound):
    """Taxonomy not found."""

    code = "taxonomy_not_found"


class ExecutionNotFound(NotFound):
    """Execution not found."""

    code = "execution_not_found"


class TriggerNotFound(NotFound):
    """Trigger not found."""

    code = "trigger_not_found"


class TooManyTriggers(BadRequest):
    """The namespace has as many active triggers as it may have."""

    code = "too_many_triggers"


class TaskNotFound(NotFound):
    """Task not found."""

    code = "task_not_found"


class ArtifactNotFound(NotFound):
    """Artifact not found."""

    code = "artifact_not_found"


class FileLinkNotFound(NotFound):
    """This link is unknown or has expired."""

    code = "file_link_not_found"


class AddressRefused(BadRequest):
    """Shoal does not connect to this address."""

    code = "address_refused"


class WebhookNotFound(NotFound):
    """Webhook not found."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """Delivery not found."""

    code = "delivery_not_found"


class RangeNotSatisfiable(BadRequest):
    """The file has no bytes in this range."""

    code = "range_not_satisfiable"


class IdempotencyConflict(Conflict):
    """The idempotency key was used before with another request."""

    code = "idempotency_conflict"


class JobCanceled(Conflict):
    """The job was canceled."""

    code = "canceled"


class JobFenced(Conflict):
    """Another attempt has taken this job over."""

    code = "fenced"


class JobFailed(Broken):
    """The job failed."""

    code = "job_failed"


class AttemptsExhausted(JobFailed):
    """The job was tried as often as is allowed and did not end."""

    code = "attempts_exhausted"


class NotEnoughPoints(BadRequest):
    """There are too few points for this algorithm."""

    code = "not_enough_points"


class InvalidVectors(BadRequest):
    """Some vectors cannot be clustered."""

    code = "invalid_vectors"
