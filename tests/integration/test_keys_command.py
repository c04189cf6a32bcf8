"""`shoal keys` beside a database: what it prints is a key, what it lists are none."""

from __future__ import annotations

import json
import os

import pytest

from shoald.domain.keys import id_in
from support.stack import shoal

pytestmark = pytest.mark.integration


def test_a_key_is_made_listed_and_revoked(postgres_database: str) -> None:
    around = {**os.environ, "SHOAL_DATABASE_URL": postgres_database}
    made = shoal("keys", "create", "ingest", "--scope", "read", "--namespace", "default", environment=around)
    key = made.stdout.strip()
    key_id = id_in(key)
    assert key_id is not None, made.stderr
    listed = json.loads(shoal("keys", "list", "--json", environment=around).stdout)
    assert [(one["key_id"], one["scopes"], one["namespace_ids"]) for one in listed] == [
        (key_id, ["read"], ["ns_default"])
    ]
    assert key.split("_")[2] not in json.dumps(listed)
    assert "is revoked" in shoal("keys", "revoke", key_id, environment=around).stdout
    assert "revoked" in shoal("keys", "list", environment=around).stdout


def test_what_cannot_be_is_said(postgres_database: str) -> None:
    around = {**os.environ, "SHOAL_DATABASE_URL": postgres_database}
    for words, told in [
        (("create", "x", "--scope", "all"), "scopes are some of read, write, admin"),
        (("create", "x", "--namespace", "nowhere"), "there is no namespace 'nowhere'"),
        (("revoke", "0123456789abcdef"), "There is no key '0123456789abcdef'."),
    ]:
        ended = shoal("keys", *words, environment=around)
        assert (ended.returncode, told in ended.stderr) == (1, True), ended.stderr
