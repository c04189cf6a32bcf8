"""Audits of labels, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as upsert

from shoald.adapters.postgres.storable import storable
from shoald.adapters.postgres.tables.labels import label_audits
from shoald.domain.records.label_audit import LabelAudit

_AT_ONCE = 200
_NAMES = tuple(one.name for one in fields(LabelAudit))


class PostgresLabelAudits:
    """Audits in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, audits: Sequence[LabelAudit]) -> None:
        """Write them in parts, in an order that two writers share."""
        ordered = sorted(audits, key=lambda one: (one.run_id, one.cluster_id))
        for start in range(0, len(ordered), _AT_ONCE):
            rows = [_row(one) for one in ordered[start : start + _AT_ONCE]]
            statement = upsert(label_audits)
            changed = {name: statement.excluded[name] for name in _NAMES if name not in {"run_id", "cluster_id"}}
            self._connection.execute(
                statement.on_conflict_do_update(index_elements=["run_id", "cluster_id"], set_=changed), rows
            )

    def get(self, run_id: str, cluster_id: str) -> LabelAudit | None:
        """Look by the key."""
        wanted = (label_audits.c.run_id == run_id) & (label_audits.c.cluster_id == cluster_id)
        row = self._connection.execute(select(label_audits).where(wanted)).mappings().first()
        return None if row is None else LabelAudit(**{**row, "questions": tuple(row["questions"])})


def _row(audit: LabelAudit) -> dict[str, object]:
    """Return the columns of an audit; what a model said may hold signs that JSON of the database cannot."""
    values = {name: getattr(audit, name) for name in _NAMES}
    return {**values, "questions": [storable(one) for one in audit.questions]}
