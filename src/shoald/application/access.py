"""Who calls: a key and the namespace that a call names go in, the caller to whom everything is kept comes out.

On whose behalf a thread works is known to the units of work that it opens, so that no query can forget it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.domain.failures import Busy, NamespaceNotFound, Unauthenticated
from shoald.domain.records.api_key import ApiKey

_REMEMBERED_SECONDS = 0.5

if TYPE_CHECKING:
    from shoald.application.keys import KeyRing
    from shoald.application.ports.call_limits import CallLimits
    from shoald.application.ports.unit_of_work import OpenUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf a use case works; it sees what belongs to `namespace_id` and nothing else.

    With `key` no more than that opens. Without a `namespace_id` (calls about namespaces themselves) it sees which
    namespaces its key reaches, and nothing in them.
    """

    namespace_id: str
    namespace_name: str = "default"
    key: ApiKey | None = None

    @property
    def reach(self) -> tuple[str, ...]:
        """The namespaces that it may name; none: all."""
        return self.key.namespace_ids if self.key else ()

    @property
    def project_ids(self) -> tuple[str, ...]:
        """The projects that it sees; none: all of its namespace."""
        return self.key.project_ids if self.key else ()


_acting: ContextVar[Caller | None] = ContextVar("acting", default=None)


def act_as(caller: Caller | None) -> None:
    """Let this thread's units of work be those of a caller from now on; None: of nobody in particular."""
    _acting.set(caller)


def acting() -> Caller | None:
    """Return on whose behalf this thread works."""
    return _acting.get()


class Access:
    """Finds the caller of a call. With a key ring every call needs a key, without one none is looked at."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        default_namespace: str = "default",
        keys: KeyRing | None = None,
        limits: CallLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`open_unit_of_work` acts for the system: nobody's namespace is known yet."""
        self._open_unit_of_work = open_unit_of_work
        self._default = default_namespace
        self._keys = keys
        self._limits = limits
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Caller]] = {}

    @property
    def requires_keys(self) -> bool:
        """Whether every call needs a key."""
        return self._keys is not None

    def key(self, authorization: str | None) -> ApiKey | None:
        """Return the key of an `Authorization` header; None where keys are off. Raises `Unauthenticated`."""
        return None if self._keys is None else self._keys.key(authorization)

    def caller(self, namespace: str | None = None, key: ApiKey | None = None) -> Caller:
        """Return the caller in the namespace with this id or name; None means the key's only one, else the default.

        A namespace that the key does not reach is as if it were not there. Raises `NamespaceNotFound`, and where keys
        are on `Unauthenticated` without one, so that a call whose check was forgotten opens nothing.
        """
        if key is None and self.requires_keys:
            raise Unauthenticated
        wanted = namespace or _only_one(key) or self._default
        found = self._remembered(wanted) or self._find(wanted)
        if key is None:
            return found
        if key.namespace_ids and found.namespace_id not in key.namespace_ids:
            raise _no_namespace(wanted)
        return Caller(namespace_id=found.namespace_id, namespace_name=found.namespace_name, key=key)

    def forget_namespaces(self) -> None:
        """Look again for what was found before: a name may mean another namespace from now on, or none."""
        self._known.clear()

    def count(self, caller: Caller) -> None:
        """Count a call; raises `Busy` when its namespace has made as many as it may for now."""
        if self._limits is not None and self._limits.is_too_much(caller.namespace_id):
            raise Busy("This namespace calls too often; try again shortly.", detail={"namespace": caller.namespace_id})

    def _find(self, wanted: str) -> Caller:
        asked_at = self._monotonic()
        with self._open_unit_of_work(reading=True) as uow:
            found = uow.namespaces.find(wanted)
        if found is None:
            raise _no_namespace(wanted)
        caller = Caller(namespace_id=found.namespace_id, namespace_name=found.namespace_name)
        self._known[wanted] = (asked_at + _REMEMBERED_SECONDS, caller)
        return caller

    def _remembered(self, wanted: str) -> Caller | None:
        """A namespace can be renamed and removed, so what was found is believed for a moment only."""
        until, caller = self._known.get(wanted, (0.0, None))
        return caller if self._monotonic() < until else None


def _only_one(key: ApiKey | None) -> str | None:
    return key.namespace_ids[0] if key is not None and len(key.namespace_ids) == 1 else None


def _no_namespace(wanted: str) -> NamespaceNotFound:
    return NamespaceNotFound(f"There is no namespace {wanted!r}.", detail={"namespace": wanted})
