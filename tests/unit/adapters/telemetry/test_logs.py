"""Log lines are JSON, carry the request's id, and hold no secret."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from shoald.adapters.telemetry.logs import hide_secrets

SECRETS = [
    ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
    ("key sk-abcdefghijkl used", "key sk-[hidden] used"),
    ("postgresql://shoal:pw@h/db", "postgresql://shoal:[hidden]@h/db"),
    ("redis://:pw@h:1/0", "redis://:[hidden]@h:1/0"),
    ("/f?x=1&X-Amz-Signature=abc&y=2", "/f?x=1&X-Amz-Signature=[hidden]&y=2"),
    ("GET /v1/files/eyJr.c2ln 200", "GET /v1/files/[hidden] 200"),
    ("whsec_abcdefgh", "whsec_[hidden]"),
]


@pytest.mark.parametrize(("text", "shown"), SECRETS)
def test_secrets_in_text_are_hidden(text: str, shown: str) -> None:
    assert hide_secrets(text) == shown
    assert hide_secrets({"a": [text, 1, None]}) == {"a": [shown, 1, None]}


@pytest.mark.parametrize("name", ["authorization", "api_key", "Api-Key", "password", "signing_secret", "token"])
def test_values_of_telling_names_are_hidden(name: str) -> None:
    assert hide_secrets({name: "x", "other": 1}) == {name: "[hidden]", "other": 1}


def test_plain_text_stays() -> None:
    for text in ("https://example.org:8000/a?b=c", "task-1 skipped", "keys and tokens"):
        assert hide_secrets(text) == text


SCRIPT = """
import logging, structlog
from shoald.adapters.telemetry.logs import set_up_logs
set_up_logs("part", level="info")
structlog.contextvars.bind_contextvars(request_id="r-1")
structlog.get_logger("one").info("said", password="pw", url="redis://:pw@h/0")
logging.getLogger("two").warning("also %s", "said", extra={"job_id": "j-1", "state": "FAILED", "foreign": 1})
structlog.get_logger("one").debug("not said")
try:
    raise ValueError("Bearer abcdef")
except ValueError:
    structlog.get_logger("one").exception("failed")
"""


def test_both_kinds_of_loggers_write_one_json_object_a_line() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert (first["event"], first["request_id"], first["service"], first["level"]) == ("said", "r-1", "part", "info")
    assert (first["password"], first["url"]) == ("[hidden]", "redis://:[hidden]@h/0")
    assert (second["event"], second["logger"], second["request_id"]) == ("also said", "two", "r-1")
    assert (second["job_id"], second["state"], "foreign" in second) == ("j-1", "FAILED", False)
    assert "ValueError: Bearer [hidden]" in third["exception"]
    assert "pw" not in done.stdout
