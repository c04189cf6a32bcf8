"""What a call can end with: one exception class per gRPC status, with the reason, the fields and the hint that came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

_DETAILS = "grpc-status-details-bin"


class _FailedCall(Protocol):
    def code(self) -> grpc.StatusCode: ...

    def details(self) -> str | None: ...

    def trailing_metadata(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that cannot be taken."""

    field: str
    """Where it stands, with dots: `strategy.k`."""
    description: str
    """What is wrong with it, for people."""
    reason: str
    """The same as a word, such as `MISSING`."""


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What the server said of a failure beside its status."""

    reason: str = ""
    """The documented code in upper case, such as `PROJECT_NOT_FOUND`; empty when the failure is not the server's."""
    hint: str | None = None
    """What to do about it."""
    violations: tuple[FieldViolation, ...] = ()
    """The fields at fault, for requests that break a rule of the contract."""
    metadata: Mapping[str, str] | None = None
    """What else is known, such as the id that was not found."""
    retry_after: float | None = None
    """Seconds after which the same call may work."""


class ShoalError(grpc.RpcError):
    """A call failed. Every exception of a call is one of this class or of a class below it.

    It is a `grpc.RpcError` too, with `code()` and `details()`, so that code written for stubs goes on working.
    """

    def __init__(self, code: grpc.StatusCode, message: str, details: ErrorDetails | None = None) -> None:
        super().__init__(message)
        found = details or ErrorDetails()
        self._code = code
        self.message = message
        self.reason = found.reason
        self.hint = found.hint
        self.violations = found.violations
        self.metadata: Mapping[str, str] = found.metadata or {}
        self.retry_after = found.retry_after

    def code(self) -> grpc.StatusCode:
        """Return the gRPC status."""
        return self._code

    def details(self) -> str:
        """Return the message, as `grpc.RpcError` does."""
        return self.message

    def __str__(self) -> str:
        lines = [f"{self.reason or self._code.name}: {self.message}"]
        lines += [f"  {violation.field}: {violation.description}" for violation in self.violations]
        return "\n".join([*lines, f"  hint: {self.hint}"] if self.hint else lines)


class InvalidRequest(ShoalError):
    """The request breaks a rule of the contract, or asks for what cannot be done; `violations` name its fields."""


class NotFound(ShoalError):
    """What the request names is not there, or not in the caller's namespace."""


class AlreadyExists(ShoalError):
    """There is one of that name already."""


class Conflict(ShoalError):
    """The request contradicts the present state."""


class Unauthenticated(ShoalError):
    """The call carries no valid key."""


class PermissionDenied(ShoalError):
    """The key does not allow this."""


class Busy(ShoalError):
    """Too many calls of this kind are running; `retry_after` says when to come again."""


class Unavailable(ShoalError):
    """The server, or a part that it needs, cannot be reached."""


class DeadlineExceeded(ShoalError):
    """No answer came before the call's deadline."""


class Canceled(ShoalError):
    """The caller canceled the call."""


class Unsupported(ShoalError):
    """This version of the server does not do that."""


class ServerFailed(ShoalError):
    """Something that should hold on the server does not."""


class JobFailed(Exception):
    """A job or task that was waited for ended without success.

    `reason` is the documented code in upper case (`CANCELED` for a job that was canceled), `job` the last state.
    """

    def __init__(self, job_id: str, reason: str, message: str, job: Any) -> None:
        super().__init__(f"{reason}: {message}" if message else reason)
        self.job_id, self.reason, self.message, self.job = job_id, reason, message, job


_CLASSES: dict[grpc.StatusCode, type[ShoalError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.OUT_OF_RANGE: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.ABORTED: Conflict,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: Busy,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.CANCELLED: Canceled,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
}


def error_of(call: _FailedCall) -> ShoalError:
    """Return the exception for a call that failed, with what its trailers tell."""
    kind = _CLASSES.get(call.code(), ServerFailed)
    return kind(call.code(), call.details() or "", _details_in(call.trailing_metadata() or ()))


def _details_in(trailers: Sequence[tuple[str, str | bytes]]) -> ErrorDetails:
    from google.protobuf.message import DecodeError
    from google.rpc import error_details_pb2, status_pb2

    packed = next((value for key, value in trailers if key == _DETAILS), b"")
    try:
        status = status_pb2.Status.FromString(packed if isinstance(packed, bytes) else packed.encode())
    except DecodeError:
        return ErrorDetails()
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    has_retry = False
    for detail in status.details:
        _ = detail.Unpack(info) or detail.Unpack(bad)
        has_retry |= detail.Unpack(retry)
    metadata = dict(info.metadata)
    return ErrorDetails(
        reason=info.reason,
        hint=metadata.pop("hint", None),
        violations=tuple(FieldViolation(one.field, one.description, one.reason) for one in bad.field_violations),
        metadata=metadata,
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if has_retry else None,
    )
