"""Triggers and their firings in PostgreSQL, whose clock says what is due."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Integer,
    RowMapping,
    Select,
    Text,
    and_,
    cast,
    delete,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as insert_or_not

from shoald.adapters.postgres.document_selection import in_collections
from shoald.adapters.postgres.lists import unknown_sort
from shoald.adapters.postgres.tables.clusters import cluster_runs, clusters, collection_documents, document_vectors
from shoald.adapters.postgres.tables.events import events
from shoald.adapters.postgres.tables.triggers import trigger_firings, triggers
from shoald.application.ports.repositories.triggers import TriggerFilter
from shoald.domain.platform_words import EventType, FiringStatus, TriggerStatus, TriggerType
from shoald.domain.records.trigger import Firing, Trigger
from shoald.domain.vocabulary import ExecutionStatus

_NOW = func.clock_timestamp()
_AT_WORK = (ExecutionStatus.PENDING.value, ExecutionStatus.PROCESSING.value)
_SORTABLE = (
    "trigger_id",
    "cluster_id",
    "name",
    "trigger_type",
    "status",
    "created_at",
    "updated_at",
    "last_triggered_at",
    "execution_count",
    "consecutive_failures",
)
_SORTED = {name: triggers.c[name] for name in _SORTABLE} | {"next_scheduled_at": triggers.c.due_at}
_IS_ACTIVE = triggers.c.status == TriggerStatus.ACTIVE.value
# two numbers, so that the key cannot be one of the other locks; the second is the namespace's hash
_ADDING = 4_721


def _trigger(row: RowMapping) -> Trigger:
    return Trigger(**{str(name): value for name, value in row.items()})


def _firing(row: RowMapping) -> Firing:
    return Firing(**{str(name): value for name, value in row.items()})


def _values(record: Trigger | Firing) -> dict[str, Any]:
    return {name: str(value) if name in {"status", "action_type"} else value for name, value in asdict(record).items()}


class PostgresTriggers:
    """`TriggerRepository` over one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def now(self) -> datetime:
        """Ask the database."""
        now: datetime = self._connection.execute(select(_NOW)).scalar_one()
        return now

    def add(self, trigger: Trigger) -> None:
        """Insert one row, unless it is automatic and there is one."""
        new = insert_or_not(triggers).values(_values(trigger))
        self._connection.execute(new.on_conflict_do_nothing() if trigger.is_automatic else new)

    def get(self, namespace_id: str, trigger_id: str) -> Trigger | None:
        """Return a trigger that is not automatic."""
        mine = select(triggers).where(
            triggers.c.namespace_id == namespace_id, triggers.c.trigger_id == trigger_id, ~triggers.c.is_automatic
        )
        row = self._connection.execute(mine).mappings().first()
        return None if row is None else _trigger(row)

    def hold(self, trigger_id: str) -> Trigger | None:
        """Lock the row, waiting for whoever has it."""
        return self._held(triggers.c.trigger_id == trigger_id)

    def take(self, trigger_id: str, due_at: datetime) -> Trigger | None:
        """Lock the row if nobody has it and it is still due."""
        is_it = and_(triggers.c.trigger_id == trigger_id, triggers.c.due_at == due_at, _IS_ACTIVE)
        return self._held(is_it, skip_locked=True)

    def _held(self, condition: ColumnElement[bool], *, skip_locked: bool = False) -> Trigger | None:
        query = select(triggers).where(condition).with_for_update(skip_locked=skip_locked)
        row = self._connection.execute(query).mappings().first()
        return None if row is None else _trigger(row)

    def save(self, trigger: Trigger) -> None:
        """Update the row."""
        self._connection.execute(
            update(triggers).where(triggers.c.trigger_id == trigger.trigger_id).values(_values(trigger))
        )

    def find(
        self, wanted: TriggerFilter, *, limit: int, offset: int, sort_by: str, descending: bool
    ) -> Sequence[Trigger]:
        """Return a page."""
        column = _SORTED.get(sort_by)
        if column is None:
            raise unknown_sort(sort_by, _SORTED)
        order = (
            [column.desc().nulls_last(), triggers.c.trigger_id.desc()]
            if descending
            else [column.asc(), triggers.c.trigger_id]
        )
        query = select(triggers).where(_conditions(wanted)).order_by(*order).limit(limit).offset(offset)
        return [_trigger(row) for row in self._connection.execute(query).mappings()]

    def count(self, wanted: TriggerFilter) -> int:
        """Count them."""
        return self._connection.scalar(select(func.count()).select_from(triggers).where(_conditions(wanted))) or 0

    def count_active(self, namespace_id: str) -> int:
        """Count under a lock that all take who add one."""
        self._connection.execute(select(func.pg_advisory_xact_lock(_ADDING, func.hashtext(namespace_id))))
        return self.count(TriggerFilter(namespace_id=namespace_id, status=TriggerStatus.ACTIVE.value))

    def due(
        self, now: datetime, limit: int, *, types: Collection[str], behind: Trigger | None = None
    ) -> Sequence[Trigger]:
        """Read without locks."""
        order = (triggers.c.due_at, triggers.c.trigger_id)
        is_of_them = triggers.c.trigger_type.in_(sorted(map(str, types)))
        query = select(triggers).where(triggers.c.due_at <= now, _IS_ACTIVE, is_of_them).order_by(*order).limit(limit)
        if behind is not None:
            query = query.where(tuple_(*order) > tuple_(behind.due_at, behind.trigger_id))
        return [_trigger(row) for row in self._connection.execute(query).mappings()]

    def hold_cluster(self, cluster_id: str) -> bool:
        """Lock the cluster's row, but not against runs that refer to it."""
        query = select(clusters.c.cluster_id).where(clusters.c.cluster_id == cluster_id)
        return self._connection.execute(query.with_for_update(key_share=True, skip_locked=True)).first() is not None

    def run_at_work(self, cluster_id: str) -> tuple[str, str] | None:
        """Look among the cluster's runs."""
        query = select(cluster_runs.c.run_id, cluster_runs.c.job_id).where(
            cluster_runs.c.cluster_id == cluster_id, cluster_runs.c.status.in_(_AT_WORK)
        )
        row = self._connection.execute(query.order_by(cluster_runs.c.created_at.desc()).limit(1)).first()
        return None if row is None else (row.run_id, row.job_id)

    def add_firing(self, firing: Firing) -> bool:
        """Insert one row, unless its slot is taken."""
        new = insert_or_not(trigger_firings).values(_values(firing)).on_conflict_do_nothing()
        return self._connection.execute(new.returning(trigger_firings.c.slot)).first() is not None

    def has_fired(self, trigger_id: str, slot: str) -> bool:
        """Look for the key."""
        mine = and_(trigger_firings.c.trigger_id == trigger_id, trigger_firings.c.slot == slot)
        return self._connection.execute(select(trigger_firings.c.slot).where(mine)).first() is not None

    def ended(self, limit: int, *, behind: Firing | None = None) -> Sequence[Firing]:
        """Read without locks."""
        order = (trigger_firings.c.triggered_at, trigger_firings.c.trigger_id, trigger_firings.c.slot)
        is_open = trigger_firings.c.status == FiringStatus.PENDING.value
        is_over = or_(cluster_runs.c.run_id.is_(None), cluster_runs.c.status.not_in(_AT_WORK))
        query = (
            select(trigger_firings)
            .outerjoin(cluster_runs, cluster_runs.c.run_id == trigger_firings.c.run_id)
            .where(is_open, is_over)
            .order_by(*order)
            .limit(limit)
        )
        if behind is not None:
            query = query.where(tuple_(*order) > tuple_(behind.triggered_at, behind.trigger_id, behind.slot))
        return [_firing(row) for row in self._connection.execute(query).mappings()]

    def hold_firing(self, firing: Firing) -> bool:
        """Lock the row if it is open and nobody has it."""
        is_open = trigger_firings.c.status == FiringStatus.PENDING.value
        query = select(trigger_firings.c.slot).where(_is(firing), is_open).with_for_update(skip_locked=True)
        return self._connection.execute(query).first() is not None

    def settle(self, firing: Firing) -> None:
        """Update the row."""
        self._connection.execute(update(trigger_firings).where(_is(firing)).values(_values(firing)))

    def history(self, trigger_id: str, *, status: str | None, limit: int, offset: int) -> tuple[Sequence[Firing], int]:
        """Return a page and its list's length."""
        condition = trigger_firings.c.trigger_id == trigger_id
        if status is not None:
            condition = and_(condition, trigger_firings.c.status == status)
        order = (trigger_firings.c.triggered_at.desc(), trigger_firings.c.slot.desc())
        query = select(trigger_firings).where(condition).order_by(*order).limit(limit).offset(offset)
        total = self._connection.scalar(select(func.count()).select_from(trigger_firings).where(condition)) or 0
        return [_firing(row) for row in self._connection.execute(query).mappings()], total

    def remove_firings(self, ended_before: datetime, limit: int) -> int:
        """Delete a batch."""
        old = select(trigger_firings.c.trigger_id, trigger_firings.c.slot).where(
            trigger_firings.c.completed_at < ended_before
        )
        batch = old.order_by(trigger_firings.c.completed_at).limit(limit)
        key = tuple_(trigger_firings.c.trigger_id, trigger_firings.c.slot)
        return self._connection.execute(delete(trigger_firings).where(key.in_(batch))).rowcount

    def hold_counting(self, namespace_id: str, collection_id: str) -> Sequence[Trigger]:
        """Lock the rows in the order of their ids."""
        named = triggers.c.schedule_config["collection_id"].astext
        over = clusters.c.collection_ids.contains([collection_id])
        query = (
            select(triggers)
            .join(clusters, clusters.c.cluster_id == triggers.c.cluster_id)
            .where(triggers.c.namespace_id == namespace_id, triggers.c.trigger_type == TriggerType.EVENT.value)
            .where(_IS_ACTIVE, or_(named == collection_id, and_(named.is_(None), over)))
            .order_by(triggers.c.trigger_id)
        )
        rows = self._connection.execute(query.with_for_update(of=triggers))
        return [_trigger(row) for row in rows.mappings()]

    def automatic_clusters(self, namespace_id: str, collection_id: str) -> Sequence[str]:
        """Look at the definitions."""
        query = select(clusters.c.cluster_id).where(
            clusters.c.namespace_id == namespace_id,
            clusters.c.collection_ids.contains([collection_id]),
            clusters.c.definition["auto_execute_on_batch"].astext == "true",
        )
        return list(self._connection.scalars(query))

    def first_unseen(
        self, namespace_id: str, revisions: Mapping[str, int], *, told_after: datetime
    ) -> Mapping[str, datetime]:
        """Look through the events of the namespace that say which revision was made."""
        read = func.jsonb_each_text(cast(dict(revisions), JSONB)).table_valued("key", "value", name="read")
        began = func.min(cast(events.c.metadata["began_at"].astext, DateTime(timezone=True))).label("began")
        query = (
            select(events.c.subject_id, began)
            .join(read, read.c.key == events.c.subject_id)
            .where(events.c.namespace_id == namespace_id, events.c.event_type == EventType.COLLECTION_DOCUMENTS_WRITTEN)
            .where(events.c.occurred_at > told_after)
            .where(cast(events.c.metadata["revision"].astext, Integer) > cast(read.c.value, Integer))
            .group_by(events.c.subject_id)
        )
        return {row.subject_id: row.began for row in self._connection.execute(query)}

    def documents_since(self, moments: Mapping[str, datetime]) -> int:
        """Count rows."""
        known = {"names": list(moments), "moments": list(moments.values())}
        since = select(
            func.unnest(cast(known["names"], ARRAY(Text))).label("name"),
            func.unnest(cast(known["moments"], ARRAY(DateTime(timezone=True)))).label("moment"),
        ).subquery("since")
        query = (
            select(func.count())
            .select_from(collection_documents)
            .join(since, since.c.name == collection_documents.c.collection_id)
            .where(in_collections(list(moments)), collection_documents.c.created_at >= since.c.moment)
        )
        return self._connection.scalar(query) or 0

    def vectors_since(self, collection_id: str, vector_name: str, since: datetime, limit: int) -> Sequence[bytes]:
        """Read vectors of those that stand first in the order of ids."""
        both = and_(
            document_vectors.c.collection_id == collection_documents.c.collection_id,
            document_vectors.c.document_id == collection_documents.c.document_id,
            document_vectors.c.vector_name == vector_name,
        )
        query: Select[tuple[bytes]] = (
            select(document_vectors.c.vector)
            .select_from(collection_documents)
            .join(document_vectors, both)
            .where(in_collections([collection_id]), collection_documents.c.created_at >= since)
            .limit(limit)
        )
        return list(self._connection.scalars(query))


def _is(firing: Firing) -> ColumnElement[bool]:
    return and_(trigger_firings.c.trigger_id == firing.trigger_id, trigger_firings.c.slot == firing.slot)


def _conditions(wanted: TriggerFilter) -> ColumnElement[bool]:
    parts = [triggers.c.namespace_id == wanted.namespace_id, ~triggers.c.is_automatic]
    for name in ("cluster_id", "trigger_type", "status", "action_type"):
        value = getattr(wanted, name)
        if value is not None:
            parts.append(triggers.c[name] == value)
    return and_(*parts)
