"""API keys: made once and shown once, looked up for each call, revoked within a second wherever they are used."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import InvalidFields, NotFound, Unauthenticated
from shoald.domain.keys import hash_of, id_in, new_key
from shoald.domain.platform_words import Scope
from shoald.domain.records.api_key import ApiKey

_REMEMBERED_SECONDS = 0.5
_MOST_REMEMBERED = 10_000
_HINT = "Send `Authorization: Bearer KEY`; `shoal keys create` makes one."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a key is to open. Namespaces are ids or names; none of them: all. `projects` are ids; none: all."""

    name: str
    scopes: Collection[str] = (Scope.READ, Scope.WRITE)
    namespaces: Sequence[str] = ()
    projects: Sequence[str] = ()
    lasts: timedelta | None = None


class Keys:
    """The keys of the installation, as whoever runs it manages them."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock

    def create(self, new: NewKey) -> tuple[ApiKey, str]:
        """Make a key and return its text, which cannot be had again.

        Raises `InvalidFields` for an unknown scope, namespace or project.
        """
        _check_scopes(new.scopes)
        key_id, text = new_key()
        now = self._clock.now()
        with self._open_unit_of_work() as uow:
            namespace_ids = tuple(_namespace_id(uow, one) for one in new.namespaces)
            _check_projects(uow, new.projects, namespace_ids)
            key = ApiKey(
                key_id=key_id,
                name=new.name,
                secret_hash=hash_of(text),
                scopes=frozenset(new.scopes),
                namespace_ids=namespace_ids,
                project_ids=tuple(new.projects),
                created_at=now,
                expires_at=now + new.lasts if new.lasts is not None else None,
            )
            uow.api_keys.add(key)
            uow.commit()
        return key, text

    def list(self) -> Sequence[ApiKey]:
        """Return every key, newest first, revoked ones too."""
        with self._open_unit_of_work(reading=True) as uow:
            return uow.api_keys.list()

    def revoke(self, key_id: str) -> ApiKey:
        """Let a key open nothing any more; one that was revoked before stays as it is. Raises `NotFound`."""
        with self._open_unit_of_work() as uow:
            key = uow.api_keys.revoke(key_id, at=self._clock.now())
            uow.commit()
        if key is None:
            raise NotFound(f"There is no key {key_id!r}.", detail={"key_id": key_id})
        return key


def _check_scopes(scopes: Collection[str]) -> None:
    unknown = set(scopes) - set(Scope)
    if unknown or not scopes:
        message = f"scopes are some of {', '.join(Scope)}"
        raise InvalidFields.field("body", "scopes", message=message, value=sorted(scopes))


def _namespace_id(uow: UnitOfWork, id_or_name: str) -> str:
    found = uow.namespaces.find(id_or_name)
    if found is None:
        raise InvalidFields.field("body", "namespaces", message=f"there is no namespace {id_or_name!r}")
    return found.namespace_id


def _check_projects(uow: UnitOfWork, project_ids: Sequence[str], namespace_ids: Sequence[str]) -> None:
    if project_ids and len(namespace_ids) != 1:
        raise InvalidFields.field("body", "projects", message="a key of projects is of one namespace; name that too")
    for project_id in project_ids:
        if uow.projects.get(project_id, namespace_id=namespace_ids[0]) is None:
            raise InvalidFields.field("body", "projects", message=f"there is no project {project_id!r} there")


@dataclass
class KeyRing:
    """Recognises the keys of calls. What the database said of a key is believed for half a second."""

    open_unit_of_work: OpenUnitOfWork
    clock: Clock
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[str, tuple[float, ApiKey]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, authorization: str | None) -> ApiKey:
        """Return the key of an `Authorization` header. Raises `Unauthenticated`, alike for any fault of it."""
        text = _bearer(authorization)
        key_id = id_in(text)
        key = self._stored(key_id) if key_id is not None else None
        if key is None or not hmac.compare_digest(key.secret_hash, hash_of(text)):
            raise Unauthenticated("This key is not valid.", hint=_HINT)
        if not key.opens_at(self._now()):
            raise Unauthenticated("This key is not valid.", hint=_HINT)
        return key

    def _now(self) -> datetime:
        return self.clock.now()

    def _stored(self, key_id: str) -> ApiKey | None:
        known = self._known.get(key_id)
        if known is not None and self.monotonic() < known[0]:
            return known[1]
        asked_at = self.monotonic()
        with self.open_unit_of_work(reading=True) as uow:
            found = uow.api_keys.find(key_id)
        with self._lock:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            if found is not None:  # one that is not there must not make those who call with theirs wait
                # from before the question: an answer that was long on its way is not newer for that
                self._known[key_id] = (asked_at + _REMEMBERED_SECONDS, found)
        return found


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise Unauthenticated(hint=_HINT)
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("The key must come as `Authorization: Bearer KEY`.", hint=_HINT)
    return text.strip()
