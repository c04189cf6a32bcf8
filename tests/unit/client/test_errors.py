"""What a failed call becomes: a class by status, with what the trailers tell."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import status_pb2
from shoal.client import Busy, InvalidRequest, NotFound, ServerFailed
from shoal.client.errors import error_of

from shoald.domain import failures
from shoald.transport.error_bodies import status_of


class FailedCall:
    """What gRPC gives for a call that failed, made from the server's own status."""

    def __init__(self, code: grpc.StatusCode, trailers: Any, message: str | None = "it failed") -> None:
        self._code, self._trailers, self._message = code, trailers, message

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._message

    def trailing_metadata(self) -> Any:
        return self._trailers


def call_of(failure: failures.Failure, code: grpc.StatusCode) -> FailedCall:
    return FailedCall(code, (("grpc-status-details-bin", status_of(failure).SerializeToString()),), failure.message)


def test_reason_hint_and_metadata_come_from_the_servers_own_details() -> None:
    failure = failures.ProjectNotFound("Project not found.", detail={"project_id": "p"}, hint="List the projects.")
    error = error_of(call_of(failure, grpc.StatusCode.NOT_FOUND))
    assert type(error) is NotFound
    assert isinstance(error, grpc.RpcError)
    assert (error.reason, error.hint, error.metadata) == (
        "PROJECT_NOT_FOUND",
        "List the projects.",
        {"project_id": "p"},
    )
    assert str(error) == "PROJECT_NOT_FOUND: Project not found.\n  hint: List the projects."


def test_field_violations_are_listed() -> None:
    failure = failures.InvalidFields([failures.FieldProblem(("body", "name"), "missing", "Field required")])
    error = error_of(call_of(failure, grpc.StatusCode.INVALID_ARGUMENT))
    assert isinstance(error, InvalidRequest)
    assert [(one.field, one.description, one.reason) for one in error.violations] == [
        ("name", "Field required", "MISSING")
    ]
    assert "  name: Field required" in str(error)


def test_a_busy_server_says_when_to_come_again() -> None:
    failure = failures.Busy("Too many.", retry_after_seconds=1.5)
    error = error_of(call_of(failure, grpc.StatusCode.RESOURCE_EXHAUSTED))
    assert isinstance(error, Busy)
    assert error.retry_after == 1.5


@pytest.mark.parametrize("trailers", [None, (), (("grpc-status-details-bin", b"\xff\xff"),), (("other", "x"),)])
def test_trailers_that_tell_nothing_leave_status_and_message(trailers: Any) -> None:
    error = error_of(FailedCall(grpc.StatusCode.INTERNAL, trailers, None))
    assert isinstance(error, ServerFailed)
    assert (error.reason, error.details(), error.retry_after, error.violations) == ("", "", None, ())
    assert error.code() is grpc.StatusCode.INTERNAL


def test_details_of_other_kinds_are_passed_over() -> None:
    packed = any_pb2.Any(type_url="type.googleapis.com/some.Other", value=b"\x01")
    trailers = (("grpc-status-details-bin", status_pb2.Status(details=[packed]).SerializeToString()),)
    assert error_of(FailedCall(grpc.StatusCode.NOT_FOUND, trailers)).reason == ""
