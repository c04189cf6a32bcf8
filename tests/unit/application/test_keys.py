"""Keys: recognised by their hash, refused alike for all that is wrong, and within a second when they are revoked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shoald.application.access import Access
from shoald.application.keys import KeyRing, Keys, NewKey
from shoald.domain.failures import InvalidFields, NamespaceNotFound, NotFound, Unauthenticated
from shoald.domain.keys import hash_of, id_in, new_key
from shoald.domain.records.api_key import ApiKey
from shoald.domain.records.collection import Namespace
from support.builders import NOW


class Stored:
    """Keys and namespaces in memory, as a unit of work."""

    def __init__(self) -> None:
        self.rows: dict[str, ApiKey] = {}
        self.looked = 0
        self.api_keys = self
        self.namespaces = SimpleNamespace(find=self._namespace)
        self.projects = SimpleNamespace(
            get=lambda project_id, namespace_id: (project_id, namespace_id) == ("p1", "ns_a") or None
        )

    def _namespace(self, wanted: str) -> Namespace | None:
        if wanted not in {"ns_a", "a", "ns_b", "default"}:
            return None
        ident = {"a": "ns_a", "default": "ns_default"}.get(wanted, wanted)
        return Namespace(
            namespace_id=ident,
            namespace_name=wanted,
            description=None,
            mode="managed",
            vector_configs=(),
            created_at=NOW,
            updated_at=NOW,
        )

    def add(self, key: ApiKey) -> None:
        self.rows[key.key_id] = key

    def find(self, key_id: str) -> ApiKey | None:
        self.looked += 1
        return self.rows.get(key_id)

    def list(self) -> Sequence[ApiKey]:
        return [*self.rows.values()]

    def revoke(self, key_id: str, *, at: datetime) -> ApiKey | None:
        if key_id in self.rows:
            self.rows[key_id] = replace(self.rows[key_id], revoked_at=self.rows[key_id].revoked_at or at)
        return self.rows.get(key_id)

    def commit(self) -> None:
        """Nothing is undone here."""

    def open(self, *, reading: bool = False) -> Any:
        del reading
        return nullcontext(self)


class Times:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.at = NOW
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def keys(stored: Stored, times: Times) -> Keys:
    return Keys(open_unit_of_work=stored.open, clock=times)


@pytest.fixture
def ring(stored: Stored, times: Times) -> KeyRing:
    return KeyRing(open_unit_of_work=stored.open, clock=times, monotonic=lambda: times.seconds)


def test_a_key_is_known_again_and_only_its_hash_is_stored(keys: Keys, ring: KeyRing, stored: Stored) -> None:
    made, text = keys.create(NewKey(name="ingest", namespaces=["a"], projects=["p1"]))
    assert ring.key(f"Bearer {text}") == made == stored.rows[made.key_id]
    assert ring.key(f"bearer  {text}") == made
    assert (made.namespace_ids, made.project_ids, made.scopes) == (("ns_a",), ("p1",), frozenset({"read", "write"}))
    assert text not in repr(made)
    assert made.secret_hash == hash_of(text)


@pytest.mark.parametrize(
    "spoil", ["", "Bearer", "Basic {key}", "Bearer {key}0", "Bearer {cut}", "Bearer {other}", "{key}"]
)
def test_what_is_no_key_opens_nothing(spoil: str, keys: Keys, ring: KeyRing) -> None:
    _, text = keys.create(NewKey(name="x"))
    _, foreign = new_key()
    with pytest.raises(Unauthenticated):
        ring.key(spoil.format(key=text, cut=text[:-1], other=foreign) or None)


def test_the_right_id_with_another_secret_opens_nothing(keys: Keys, ring: KeyRing, stored: Stored) -> None:
    made, text = keys.create(NewKey(name="x"))
    stored.rows[made.key_id] = replace(made, secret_hash=hash_of("another"))
    with pytest.raises(Unauthenticated):
        ring.key(f"Bearer {text}")


def test_a_mistyped_key_is_refused_without_a_look(ring: KeyRing, stored: Stored) -> None:
    _, text = new_key()
    flipped = text[:30] + ("0" if text[30] != "0" else "1") + text[31:]
    assert id_in(flipped) is None
    with pytest.raises(Unauthenticated):
        ring.key(f"Bearer {flipped}")
    assert stored.looked == 0


def test_a_revoked_key_opens_nothing_within_a_second(keys: Keys, ring: KeyRing, stored: Stored, times: Times) -> None:
    made, text = keys.create(NewKey(name="x"))
    for _ in range(100):
        ring.key(f"Bearer {text}")
    assert stored.looked == 1
    keys.revoke(made.key_id)
    times.seconds += 0.999
    with pytest.raises(Unauthenticated):
        ring.key(f"Bearer {text}")


def test_a_key_ends_when_it_was_to_end(keys: Keys, ring: KeyRing, times: Times) -> None:
    _, text = keys.create(NewKey(name="x", lasts=timedelta(days=1)))
    times.at += timedelta(hours=23)
    ring.key(f"Bearer {text}")
    times.at += timedelta(hours=1)
    with pytest.raises(Unauthenticated):
        ring.key(f"Bearer {text}")


@pytest.mark.parametrize(
    "new",
    [
        NewKey(name="x", scopes=["everything"]),
        NewKey(name="x", scopes=[]),
        NewKey(name="x", namespaces=["nowhere"]),
        NewKey(name="x", namespaces=["a"], projects=["p2"]),
        NewKey(name="x", projects=["p1"]),
        NewKey(name="x", namespaces=["a", "ns_b"], projects=["p1"]),
    ],
)
def test_a_key_of_what_is_not_there_is_not_made(new: NewKey, keys: Keys, stored: Stored) -> None:
    with pytest.raises(InvalidFields):
        keys.create(new)
    assert stored.rows == {}


def test_a_key_that_is_not_there_cannot_be_revoked(keys: Keys) -> None:
    with pytest.raises(NotFound):
        keys.revoke("0" * 16)


def test_a_key_names_its_namespace_and_reaches_no_other(stored: Stored, keys: Keys, ring: KeyRing) -> None:
    access = Access(open_unit_of_work=stored.open, keys=ring)
    _, text = keys.create(NewKey(name="x", namespaces=["a"]))
    key = access.key(f"Bearer {text}")
    assert access.caller(None, key).namespace_id == "ns_a"
    assert access.caller("a", key).key == key
    for foreign in ("ns_b", "default", "nowhere"):
        with pytest.raises(NamespaceNotFound, match=f"There is no namespace '{foreign}'"):
            access.caller(foreign, key)


def test_a_key_of_all_namespaces_has_the_default_one_unless_another_is_named(stored: Stored, ring: KeyRing) -> None:
    access = Access(open_unit_of_work=stored.open, keys=ring)
    key = ApiKey(
        key_id="1" * 16,
        name="x",
        secret_hash=b"",
        scopes=frozenset({"read"}),
        namespace_ids=(),
        project_ids=(),
        created_at=NOW,
    )
    assert access.caller(None, key).namespace_id == "ns_default"
    assert access.caller("ns_b", key).namespace_id == "ns_b"


def test_where_keys_are_off_none_is_looked_at(stored: Stored) -> None:
    access = Access(open_unit_of_work=stored.open)
    assert access.key("Bearer sk_whatever") is None
    assert access.caller().namespace_id == "ns_default"


def test_a_name_that_means_another_namespace_is_looked_up_again(stored: Stored) -> None:
    access = Access(open_unit_of_work=stored.open, monotonic=lambda: 0.0)
    before = access.caller("a")
    assert access.caller("a") is before
    access.forget_namespaces()
    assert access.caller("a") is not before


def test_where_keys_are_on_nobody_calls_without_one(stored: Stored, ring: KeyRing) -> None:
    with pytest.raises(Unauthenticated):
        Access(open_unit_of_work=stored.open, keys=ring).caller("a")


def test_who_tries_keys_does_not_make_others_wait(keys: Keys, ring: KeyRing, stored: Stored) -> None:
    _, text = keys.create(NewKey(name="x"))
    ring.key(f"Bearer {text}")
    with pytest.raises(Unauthenticated):
        ring.key(f"Bearer {new_key()[1]}")
    looked = stored.looked
    ring.key(f"Bearer {text}")
    assert stored.looked == looked
