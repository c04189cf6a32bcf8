"""Uploads that are refused before they have come: the answer reaches a client over HTTP/1.1 that is still sending."""

from __future__ import annotations

import http.client
import json
import uuid
from contextlib import closing
from typing import Any

import pytest

from shoald.transport.interceptors.failures import read_on
from support.stack import Stack

pytestmark = pytest.mark.acceptance
_PIECE = bytes(256 * 1024)


def upload(stack: Stack, path: str, pieces: int) -> tuple[int, Any]:
    """Send a form with a file of many pieces, one after another."""
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    body = [head, *[_PIECE] * pieces, b"\r\n--b--\r\n"]
    headers = {"content-type": "multipart/form-data; boundary=b", "content-length": str(sum(map(len, body)))}
    host, _, port = stack.address.rpartition(":")
    with closing(http.client.HTTPConnection(host, int(port), timeout=30)) as connection:
        connection.request("POST", path, iter(body), headers)
        with connection.getresponse() as answer:
            return answer.status, json.load(answer)


def test_a_large_upload_into_an_unknown_project_is_told_so(shoal_up: Stack) -> None:
    project_id = str(uuid.uuid4())
    status, body = upload(shoal_up, f"/api/v1/projects/{project_id}/documents", 128)
    assert status == 404
    assert body["detail"]["code"] == "project_not_found"


class Pieces:
    """Messages of a kilobyte, without end."""

    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Pieces:
        return self

    def __next__(self) -> Pieces:
        self.taken += 1
        return self

    def ByteSize(self) -> int:  # noqa: N802 - protobuf's name
        return 1024


def test_no_more_is_read_of_a_refused_upload_than_is_allowed() -> None:
    endless = Pieces()
    read_on(endless, seconds=60, size=10 * 1024)
    assert endless.taken == 10
    read_on(endless, seconds=0, size=10 * 1024)
    assert endless.taken == 10
