"""The one table from a failure to its gRPC status, HTTP status and error type; a test finds every failure in it."""

from __future__ import annotations

from dataclasses import dataclass

from grpc import StatusCode

from shoald.domain import failures
from shoald.domain.failures import Failure


@dataclass(frozen=True, slots=True)
class Answer:
    """How a failure is told: to typed clients, over HTTP, and the `type` word of the clusters API."""

    status: StatusCode
    http_status: int
    error_type: str


_BAD_REQUEST = Answer(StatusCode.INVALID_ARGUMENT, 400, "BadRequestError")
_CONFLICT = Answer(StatusCode.FAILED_PRECONDITION, 409, "ConflictError")
_INTERNAL = Answer(StatusCode.INTERNAL, 500, "InternalServerError")

# A failure that is not named takes the row of its nearest base class; `Failure` itself has none, so that a new kind
# of failure cannot be forgotten.
TABLE: dict[type[Failure], Answer] = {
    failures.InvalidFields: Answer(StatusCode.INVALID_ARGUMENT, 422, "ValidationError"),
    failures.BadRequest: _BAD_REQUEST,
    failures.RangeNotSatisfiable: Answer(StatusCode.OUT_OF_RANGE, 416, "BadRequestError"),
    failures.IndexBuildNotReady: Answer(StatusCode.FAILED_PRECONDITION, 400, "BadRequestError"),
    failures.Unauthenticated: Answer(StatusCode.UNAUTHENTICATED, 401, "UnauthorizedError"),
    failures.PermissionDenied: Answer(StatusCode.PERMISSION_DENIED, 403, "ForbiddenError"),
    failures.NotFound: Answer(StatusCode.NOT_FOUND, 404, "NotFoundError"),
    failures.Conflict: _CONFLICT,
    failures.AlreadyExists: Answer(StatusCode.ALREADY_EXISTS, 409, "AlreadyExistsError"),
    failures.JobCanceled: Answer(StatusCode.ABORTED, 409, "ConflictError"),
    failures.JobFenced: Answer(StatusCode.ABORTED, 409, "ConflictError"),
    # not RESOURCE_EXHAUSTED: clients repeat such calls, and this one would fail again
    failures.TooLarge: Answer(StatusCode.INVALID_ARGUMENT, 413, "PayloadTooLargeError"),
    failures.MissingDependency: Answer(StatusCode.FAILED_PRECONDITION, 424, "ProcessingError"),
    failures.Busy: Answer(StatusCode.RESOURCE_EXHAUSTED, 429, "TooManyRequestsError"),
    failures.Broken: _INTERNAL,
    failures.DataCorrupt: Answer(StatusCode.DATA_LOSS, 500, "StorageError"),
    failures.Unsupported: Answer(StatusCode.UNIMPLEMENTED, 501, "NotEnabledError"),
    failures.Unavailable: Answer(StatusCode.UNAVAILABLE, 503, "ServiceUnavailableError"),
    failures.StorageFull: Answer(StatusCode.UNAVAILABLE, 507, "StorageError"),
    failures.DeadlineExceeded: Answer(StatusCode.DEADLINE_EXCEEDED, 504, "TimeoutError"),
}


def answer_to(failure: Failure) -> Answer:
    """Return how a failure is told."""
    for kind in type(failure).__mro__:
        if kind in TABLE:
            return TABLE[kind]
    return _INTERNAL
