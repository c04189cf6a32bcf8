"""Namespaces: made, found and listed; what a caller says of a new one goes in, the record comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shoald.application.access import Caller
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import Conflict, InvalidFields, NamespaceNotFound
from shoald.domain.identifiers import looks_like_an_id, new_namespace_id
from shoald.domain.records.collection import Namespace, VectorConfig
from shoald.domain.vocabulary import VectorKind

MANAGED, STANDALONE = "managed", "standalone"
_MOST_COMPONENTS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNamespace:
    """What a caller says of a new namespace; without an id one is made."""

    namespace_name: str
    namespace_id: str | None = None
    description: str | None = None
    mode: str = MANAGED
    vector_configs: tuple[VectorConfig, ...] = ()


@dataclass(frozen=True, slots=True)
class CountedNamespace:
    """A namespace and the number of documents in it."""

    namespace: Namespace
    document_count: int


def check_vector_configs(configs: Sequence[VectorConfig]) -> None:
    """Raise `InvalidFields` when two vectors have one name, or one that is not sparse more components than there may
    be.
    """
    for at, config in enumerate(configs):
        if config.kind != VectorKind.SPARSE and config.dimension > _MOST_COMPONENTS:
            raise InvalidFields.field(
                "body",
                "vector_configs",
                at,
                "dimension",
                message=f"Input should be less than or equal to {_MOST_COMPONENTS}",
                kind="less_than_equal",
                value=config.dimension,
            )
    names = [config.name for config in configs]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise InvalidFields.field(
                "body", "vector_configs", at, "name", message=f"there are two vectors named {name!r}", value=name
            )


class Namespaces:
    """The namespaces of the installation."""

    def __init__(self, *, open_unit_of_work: OpenUnitOfWork, clock: Clock, cursors: PageCursors) -> None:
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors

    def create(self, new: NewNamespace) -> Namespace:
        """Make a namespace; raises `AlreadyExists`, and `InvalidFields` for a name that looks like an id."""
        if looks_like_an_id(new.namespace_name):
            message = "a name must not look like an id"
            raise InvalidFields.field("body", "namespace_name", message=message, value=new.namespace_name)
        check_vector_configs(new.vector_configs)
        namespace = self._record(new)
        with self._open_unit_of_work() as uow:
            uow.namespaces.add(namespace)
            uow.commit()
        return namespace

    def create_standalone(self, new: NewNamespace) -> CountedNamespace:
        """Make a namespace under the caller's id, or return the one that is there; raises `Conflict` if it has other
        vectors.
        """
        check_vector_configs(new.vector_configs)
        wanted = new.namespace_id or new.namespace_name
        with self._open_unit_of_work() as uow:
            found = uow.namespaces.find(wanted)
            if found is None:
                found = self._record(new)
                uow.namespaces.add(found)
                uow.commit()
            elif new.vector_configs and found.vector_configs != new.vector_configs:
                raise Conflict(f"The namespace {wanted!r} exists with other vectors.", detail={"namespace_id": wanted})
            return self._counted(uow, [found])[0]

    def get(self, id_or_name: str) -> CountedNamespace:
        """Return a namespace; raises `NamespaceNotFound`."""
        with self._open_unit_of_work() as uow:
            return self._counted(uow, [find_namespace(uow, id_or_name)])[0]

    def list(self, query: ListQuery) -> Page[CountedNamespace]:
        """Return a page of namespaces, newest first unless sorted."""
        selection = select_page(query, self._cursors.open("namespaces", query), condition_of(query.filters))
        with self._open_unit_of_work() as uow:
            rows = self._counted(uow, uow.namespaces.list(selection))
            total = uow.namespaces.count(selection)
        return make_page(rows, query, selection, total=total, seal=self._cursors.sealer("namespaces", query))

    def _counted(self, uow: UnitOfWork, found: Sequence[Namespace]) -> Sequence[CountedNamespace]:
        counts = uow.namespaces.document_counts([one.namespace_id for one in found])
        return [CountedNamespace(one, counts[one.namespace_id]) for one in found]

    def _record(self, new: NewNamespace) -> Namespace:
        now = self._clock.now()
        return Namespace(
            namespace_id=new.namespace_id or new_namespace_id(),
            namespace_name=new.namespace_name,
            description=new.description,
            mode=new.mode,
            vector_configs=new.vector_configs,
            created_at=now,
            updated_at=now,
        )


def find_namespace(uow: UnitOfWork, id_or_name: str) -> Namespace:
    """Return a namespace; raises `NamespaceNotFound`."""
    found = uow.namespaces.find(id_or_name)
    if found is None:
        raise NamespaceNotFound(f"There is no namespace {id_or_name!r}.", detail={"namespace": id_or_name})
    return found


def caller_in(uow: UnitOfWork, caller: Caller, namespace: str | None) -> Caller:
    """Return the caller in the namespace that a path names; the caller's own when it names none."""
    if namespace is None or namespace in {caller.namespace_id, caller.namespace_name}:
        return caller
    found = find_namespace(uow, namespace)
    return Caller(namespace_id=found.namespace_id, namespace_name=found.namespace_name)
