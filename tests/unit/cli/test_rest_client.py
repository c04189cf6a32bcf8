"""What a refused call is told as."""

from __future__ import annotations

import httpx
import pytest

from shoald.cli.rest_client import RestClient, _refusal

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
