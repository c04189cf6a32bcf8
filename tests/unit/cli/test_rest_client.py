"""What a refused call is told as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from shoald.cli.rest_client import RestClient, RestError, _refusal

DOCUMENTED = {"detail": {"code": "no_chunks", "message": "There are none.", "detail": {}, "hint": "Make some."}}
OF_CLUSTERS = {"success": False, "status": 404, "error": {"message": "No such cluster.", "code": "cluster_not_found"}}
LISTED = {"detail": [{"loc": ["body", "strategies", 0], "msg": "wrong", "type": "t", "input": {}}]}


@pytest.mark.parametrize(
    ("body", "told", "reason"),
    [
        (DOCUMENTED, "There are none. Make some.", "no_chunks: There are none. Make some."),
        (OF_CLUSTERS, "No such cluster.", "cluster_not_found: No such cluster."),
        (LISTED, "body.strategies.0: wrong", "body.strategies.0: wrong"),
        ({"detail": "Not Found"}, "Not Found", "Not Found"),
        ([], "[]", "[]"),
    ],
)
def test_a_refusal_says_in_words_what_the_server_says(body: object, told: str, reason: str) -> None:
    error = _refusal("POST", "/p", httpx.Response(422, json=body))
    assert (str(error), error.reason, error.status) == (f"POST /p: 422: {told}", reason, 422)


def test_an_answer_of_something_else_is_shown_as_it_is() -> None:
    assert str(_refusal("GET", "/p", httpx.Response(502, text="<html>bad gateway"))) == "GET /p: 502: <html>bad gateway"


@pytest.mark.parametrize(
    ("given", "around", "shown"),
    [("shl_a", "shl_b", "Bearer shl_a"), (None, "shl_b", "Bearer shl_b"), (None, "", None)],
)
def test_a_key_is_shown_as_it_is_given_or_as_the_environment_has_it(
    given: str | None, around: str, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOAL_API_KEY", around)
    with RestClient("http://127.0.0.1:1", key=given) as client:
        assert client._http.headers.get("authorization") == shown


def answered(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    """Let every client of the module be answered by a function."""
    plain = httpx.Client

    def client(**options: object) -> httpx.Client:
        return plain(**{**options, "transport": httpx.MockTransport(answer)})  # type: ignore[arg-type]

    monkeypatch.setattr(httpx, "Client", client)


@pytest.mark.parametrize(
    ("url", "asked", "key"),
    [
        ("http://inside:8000/v1/files/t0ken?a=b", "http://known:9000/v1/files/t0ken?a=b", "Bearer shl_a"),
        ("https://bucket.example/key?signature=s", "https://bucket.example/key?signature=s", None),
    ],
)
def test_a_file_is_fetched_from_the_server_as_it_is_known_and_no_bucket_sees_the_key(
    url: str, asked: str, key: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, content=b"bytes")

    answered(monkeypatch, answer)
    with RestClient("http://known:9000", key="shl_a") as client:
        client.save(url, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"bytes"
    assert [(str(one.url), one.headers.get("authorization")) for one in requests] == [(asked, key)]


def test_a_file_that_is_gone_is_told_as_the_server_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, lambda _: httpx.Response(404, json=OF_CLUSTERS))
    with RestClient("http://known:9000") as client, pytest.raises(RestError) as refused:
        client.save("http://known:9000/v1/files/t0ken", tmp_path / "file")
    assert (refused.value.status, str(refused.value)) == (404, "GET /v1/files/t0ken: 404: No such cluster.")
