"""Namespaces: made, found, listed, changed and deleted; what a caller says of one goes in, the record comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from shoald.application.access import Caller, act_as, acting
from shoald.application.listing import ListQuery, Page, PageCursors, condition_of, make_page, select_page
from shoald.application.namespace_removal import NamespaceRemoval, refuse_projects
from shoald.application.ports.clock import Clock
from shoald.application.ports.unit_of_work import OpenUnitOfWork, UnitOfWork
from shoald.domain.failures import Conflict, InvalidFields, NamespaceNotFound, PermissionDenied
from shoald.domain.identifiers import looks_like_an_id, new_namespace_id
from shoald.domain.records.collection import Namespace, NamespaceCounts, PayloadIndex, VectorConfig
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
    payload_indexes: tuple[PayloadIndex, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceChanges:
    """What a caller changes of a namespace; None leaves what is there, an empty description removes it."""

    namespace_name: str | None = None
    description: str | None = None
    payload_indexes: tuple[PayloadIndex, ...] | None = None


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


def check_payload_indexes(indexes: Sequence[PayloadIndex]) -> None:
    """Raise `InvalidFields` when one field is declared twice, or no JSON can have it."""
    names = [one.field_name for one in indexes]
    for at, name in enumerate(names):
        if not all(name.split(".")) or "\0" in name:
            message = "must be names of keys with single dots between them"
            raise InvalidFields.field("body", "payload_indexes", at, "field_name", message=message, value=name)
        if name in names[:at]:
            message = f"there are two indexes of {name!r}"
            raise InvalidFields.field("body", "payload_indexes", at, "field_name", message=message, value=name)


class Namespaces:
    """The namespaces of the installation."""

    def __init__(
        self,
        *,
        open_unit_of_work: OpenUnitOfWork,
        clock: Clock,
        cursors: PageCursors,
        removal: NamespaceRemoval,
        on_change: Callable[[], None],
        default_namespace: str = "default",
    ) -> None:
        """`on_change` hears that a name or an id means something else than before."""
        self._open_unit_of_work = open_unit_of_work
        self._clock = clock
        self._cursors = cursors
        self._removal = removal
        self._on_change = on_change
        self._default = default_namespace

    def create(self, new: NewNamespace) -> Namespace:
        """Make a namespace; raises `AlreadyExists`, and `InvalidFields` for a name that looks like an id."""
        _check_name(new.namespace_name)
        check_vector_configs(new.vector_configs)
        check_payload_indexes(new.payload_indexes)
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

    def update(self, id_or_name: str, changes: NamespaceChanges) -> CountedNamespace:
        """Change what is given; a change to what is there already leaves `updated_at`.

        Raises `NamespaceNotFound`, `AlreadyExists`, `InvalidFields`, and `Conflict` for another name of the namespace
        that calls without one mean.
        """
        if changes.namespace_name is not None:
            _check_name(changes.namespace_name)
        check_payload_indexes(changes.payload_indexes or ())
        with self._open_unit_of_work() as uow:
            before = uow.namespaces.lock(id_or_name)
            if before is None:
                raise _not_found(id_or_name)
            after = _changed(before, changes)
            if after.namespace_name != before.namespace_name:
                self._refuse_default(before, "renamed")
            if after != before:
                after = replace(after, updated_at=self._clock.now())
                uow.namespaces.update(after)
            (counted,) = self._counted(uow, [after])
            uow.commit()
        self._on_change()
        return counted

    def delete(self, id_or_name: str, *, force: bool = False) -> Namespace:
        """Remove a namespace with its clusters, collections and all else that belongs to it.

        Raises `NamespaceNotFound`, `PermissionDenied` for a key of some projects only, and `Conflict` for the one that
        calls without a namespace mean, for one that holds projects, and, unless forced, while jobs are at work in it;
        forced, these are canceled.
        """
        _refuse_keys_of_projects()
        with self._open_unit_of_work() as uow:
            namespace = find_namespace(uow, id_or_name)
        self._refuse_default(namespace, "deleted")
        caller = _enter(namespace)
        with self._open_unit_of_work() as uow:
            counts = uow.namespaces.counts(namespace.namespace_id)
        refuse_projects(caller, counts)
        _refuse_jobs(namespace, counts, force=force)
        self._removal.remove(caller, counts)
        self._on_change()
        return namespace

    def stats(self, id_or_name: str) -> tuple[Namespace, NamespaceCounts]:
        """Return how much a namespace holds; raises `NamespaceNotFound`."""
        with self._open_unit_of_work() as uow:
            namespace = find_namespace(uow, id_or_name)
        return namespace, self._counts(namespace)

    def stats_of(self, ids: Sequence[str]) -> dict[str, NamespaceCounts]:
        """Return how much each of the namespaces holds, without those that are not there."""
        with self._open_unit_of_work() as uow:
            found = [uow.namespaces.find(one) for one in dict.fromkeys(ids)]
        return {one.namespace_id: self._counts(one) for one in found if one is not None}

    def _counts(self, namespace: Namespace) -> NamespaceCounts:
        _enter(namespace)
        with self._open_unit_of_work() as uow:
            return uow.namespaces.counts(namespace.namespace_id)

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
            payload_indexes=new.payload_indexes,
        )

    def _refuse_default(self, namespace: Namespace, deed: str) -> None:
        if self._default in {namespace.namespace_id, namespace.namespace_name}:
            message = f"Calls that name no namespace mean {self._default!r}; it cannot be {deed}."
            raise Conflict(message, detail={"namespace_id": namespace.namespace_id})


def _enter(namespace: Namespace) -> Caller:
    """Work in a namespace that the caller has found, and so reaches, from here on."""
    caller = Caller(namespace_id=namespace.namespace_id, namespace_name=namespace.namespace_name)
    act_as(caller)
    return caller


def _refuse_keys_of_projects() -> None:
    caller = acting()
    if caller is not None and caller.project_ids:
        raise PermissionDenied("The key opens some projects only, and a namespace goes with all that it holds.")


def _check_name(name: str) -> None:
    if looks_like_an_id(name):
        raise InvalidFields.field("body", "namespace_name", message="a name must not look like an id", value=name)


def _changed(namespace: Namespace, changes: NamespaceChanges) -> Namespace:
    indexes, description = changes.payload_indexes, changes.description
    return replace(
        namespace,
        namespace_name=changes.namespace_name or namespace.namespace_name,
        description=namespace.description if description is None else description or None,
        payload_indexes=namespace.payload_indexes if indexes is None else indexes,
    )


def _refuse_jobs(namespace: Namespace, counts: NamespaceCounts, *, force: bool) -> None:
    if counts.open_job_ids and not force:
        name, jobs = namespace.namespace_name, len(counts.open_job_ids)
        message = f"In the namespace {name!r} {jobs} jobs are at work; they are canceled with force=true."
        raise Conflict(message, detail={"namespace_id": namespace.namespace_id, "jobs": jobs})


def find_namespace(uow: UnitOfWork, id_or_name: str) -> Namespace:
    """Return a namespace; raises `NamespaceNotFound`."""
    found = uow.namespaces.find(id_or_name)
    if found is None:
        raise _not_found(id_or_name)
    return found


def _not_found(id_or_name: str) -> NamespaceNotFound:
    return NamespaceNotFound(f"There is no namespace {id_or_name!r}.", detail={"namespace": id_or_name})


def caller_in(uow: UnitOfWork, caller: Caller, namespace: str | None) -> Caller:
    """Return the caller in the namespace that a path names; the caller's own when it names none."""
    if namespace is None or namespace in {caller.namespace_id, caller.namespace_name}:
        return caller
    found = find_namespace(uow, namespace)
    return Caller(namespace_id=found.namespace_id, namespace_name=found.namespace_name)
