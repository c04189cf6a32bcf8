from __future__ import annotations

import pytest
from shoal.clusters.v1 import history_service_pb2
from shoal.clusters.v1.artifact_service_pb2 import StreamMembersResponse

from shoald.transport.interceptors.failures import Failures
from shoald.transport.mapping.clusters.artifacts import encoded_members

HISTORY = history_service_pb2.DESCRIPTOR.services_by_name["HistoryService"]


@pytest.mark.parametrize("size", [1, 127, 128, 16_383, 16_384, 300_000])
@pytest.mark.parametrize("rows", [0, 1, 100_000])
def test_members_are_encoded_as_the_library_does(size: int, rows: int) -> None:
    arrow = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert encoded_members(arrow, rows) == StreamMembersResponse(arrow=arrow, rows=rows).SerializeToString()


def test_a_batch_without_bytes_is_an_empty_one() -> None:
    assert StreamMembersResponse.FromString(encoded_members(b"", 7)) == StreamMembersResponse(rows=7)


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        ("shoal.clusters.v1.ArtifactService/StreamMembers", True),
        ("shoal.clusters.v1.ArtifactService/DownloadFile", True),
        (f"{HISTORY.full_name}/StreamGroupHistory", False),
    ],
)
def test_bytes_go_out_as_they_are_where_bodies_are_encoded_already(method: str, passes: bool) -> None:  # noqa: FBT001
    def original(message: object) -> bytes:
        return f"serialized {type(message).__name__}".encode()

    serialize = Failures().serializer(f"/{method}", original)
    assert serialize(b"encoded") == (b"encoded" if passes else b"serialized bytes")
    assert serialize(StreamMembersResponse()) == b"serialized StreamMembersResponse"
