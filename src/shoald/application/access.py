"""Who calls: the namespace that a call names goes in, the caller whose namespace everything is kept to comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shoald.domain.failures import NamespaceNotFound

if TYPE_CHECKING:
    from shoald.application.ports.unit_of_work import OpenUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf a use case works; it sees what belongs to `namespace_id` and nothing else."""

    namespace_id: str
    namespace_name: str = "default"


class Access:
    """Finds the caller of a call."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, default_namespace: str = "default") -> None:
        self._open_unit_of_work = open_unit_of_work
        self._default = default_namespace
        self._known: dict[str, Caller] = {}

    def caller(self, namespace: str | None = None) -> Caller:
        """Return the caller in the namespace with this id or name; None means the default one.

        Ids and names of namespaces never change, so those once found are remembered. Raises `NamespaceNotFound`.
        """
        wanted = namespace or self._default
        known = self._known.get(wanted)
        if known is not None:
            return known
        with self._open_unit_of_work(reading=True) as uow:
            found = uow.namespaces.find(wanted)
        if found is None:
            raise NamespaceNotFound(f"There is no namespace {wanted!r}.", detail={"namespace": wanted})
        caller = Caller(namespace_id=found.namespace_id, namespace_name=found.namespace_name)
        self._known[wanted] = caller
        return caller
