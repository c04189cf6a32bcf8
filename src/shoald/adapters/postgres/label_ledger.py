"""What answers about groups cost, in PostgreSQL: who books locks the row of the namespace's month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, delete, func, literal, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from shoald.adapters.postgres.storable import storable
from shoald.adapters.postgres.tables.label_ledger import label_answers, label_months, label_spending
from shoald.application.ports.label_ledger import Account, Caps, KnownAnswer, Refusal, Spend

_COUNTED = ("calls", "input_tokens", "output_tokens", "money")
_KEPT = ("questions", *_COUNTED, "counted_tokens")
_WHOLE = frozenset(_KEPT) - {"money"}
_KEY = ("run_id", "month", "model", "kind")


class PostgresLabelLedger:
    """The ledger of one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def book(self, account: Account, most: Spend, *, run: Caps, namespace: Caps) -> Refusal | None:
        """Lock the month's row, so that sums are looked at by one at a time, then look and add."""
        month = self._locked_month(account)
        for whose, caps, spent in (
            ("run", run, self.spent_by_run(account.run_id)),
            ("namespace", namespace, month),
        ):
            what = caps.exceeded_by(spent + most)
            if what is not None:
                return Refusal(whose=whose, what=what)
        self._add(account, most)
        return None

    def settle(self, account: Account, booked: Spend, spent: Spend) -> None:
        """Add the difference."""
        self._locked_month(account)
        self._add(account, spent - booked)

    def _locked_month(self, account: Account) -> Spend:
        mine = {"namespace_id": account.namespace_id, "month": account.month}
        self._connection.execute(insert(label_months).values(mine).on_conflict_do_nothing())
        columns = [label_months.c[name] for name in _COUNTED]
        query = select(*columns).where(_is_month(account.namespace_id, account.month)).with_for_update()
        return Spend(**self._connection.execute(query).mappings().one())

    def _add(self, account: Account, more: Spend) -> None:
        added = {name: label_months.c[name] + getattr(more, name) for name in _COUNTED}
        mine = _is_month(account.namespace_id, account.month)
        self._connection.execute(update(label_months).where(mine).values(added))
        values = {name: getattr(more, name) for name in (*_KEPT, "is_priced")}
        key = {name: getattr(account, name) for name in _KEY}
        new = insert(label_spending).values(namespace_id=account.namespace_id, **key, **values)
        summed: dict[str, Any] = {name: label_spending.c[name] + new.excluded[name] for name in _KEPT}
        summed["is_priced"] = and_(label_spending.c.is_priced, new.excluded.is_priced)
        self._connection.execute(new.on_conflict_do_update(index_elements=_KEY, set_=summed))

    def spent_by_run(self, run_id: str) -> Spend:
        """Sum the run's rows."""
        mine = select(label_spending).where(label_spending.c.run_id == run_id).subquery()
        return self._summed(mine)

    def spent_in_month(self, namespace_id: str, month: date) -> Spend:
        """Read one row."""
        columns = [label_months.c[name] for name in _COUNTED]
        row = self._connection.execute(select(*columns).where(_is_month(namespace_id, month))).mappings().first()
        return Spend() if row is None else Spend(**row)

    def lately(self, account: Account, *, limit: int = 20) -> Spend:
        """Sum the newest rows; those of one run are few."""
        newest = (
            select(label_spending)
            .where(
                label_spending.c.namespace_id == account.namespace_id,
                label_spending.c.model == account.model,
                label_spending.c.kind == account.kind,
                label_spending.c.run_id != account.run_id,
                label_spending.c.calls > 0,
            )
            .order_by(label_spending.c.began_at.desc(), label_spending.c.run_id)
            .limit(limit)
            .subquery()
        )
        return self._summed(newest)

    def _summed(self, rows: Subquery) -> Spend:
        """Add rows up; sums of whole numbers come back as decimals."""
        sums = [func.coalesce(func.sum(rows.c[name]), 0).label(name) for name in _KEPT]
        priced = func.coalesce(func.bool_and(rows.c.is_priced), literal(value=True)).label("is_priced")
        row = self._connection.execute(select(*sums, priced)).mappings().one()
        values: dict[str, Any] = {str(name): int(value) if name in _WHOLE else value for name, value in row.items()}
        return Spend(**values)

    def answers(
        self, namespace_id: str, hashes: Sequence[str], *, now: datetime, made_after: datetime
    ) -> Mapping[str, KnownAnswer]:
        """Look them up by their key."""
        query = select(label_answers).where(
            label_answers.c.namespace_id == namespace_id,
            label_answers.c.content_hash.in_(hashes),
            label_answers.c.expires_at > now,
            label_answers.c.made_at > made_after,
        )
        return {
            row.content_hash: KnownAnswer(
                text=row.answer, model=row.model, input_tokens=row.input_tokens, output_tokens=row.output_tokens
            )
            for row in self._connection.execute(query)
        }

    def keep_answer(
        self, namespace_id: str, content_hash: str, answer: KnownAnswer, *, now: datetime, expires_at: datetime
    ) -> None:
        """Insert it, or lay it over the older one."""
        values: dict[str, Any] = {
            "answer": storable(answer.text),
            "model": storable(answer.model),
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "made_at": now,
            "expires_at": expires_at,
        }
        new = insert(label_answers).values(namespace_id=namespace_id, content_hash=content_hash, **values)
        key = ("namespace_id", "content_hash")
        self._connection.execute(new.on_conflict_do_update(index_elements=key, set_=values))

    def remove_expired(self, now: datetime, limit: int) -> int:
        """Delete a batch."""
        key = tuple_(label_answers.c.namespace_id, label_answers.c.content_hash)
        old = select(label_answers.c.namespace_id, label_answers.c.content_hash)
        batch = old.where(label_answers.c.expires_at <= now).order_by(label_answers.c.expires_at).limit(limit)
        return self._connection.execute(delete(label_answers).where(key.in_(batch))).rowcount


def _is_month(namespace_id: str, month: date) -> ColumnElement[bool]:
    return and_(label_months.c.namespace_id == namespace_id, label_months.c.month == month)
