"""Tables of what answers about groups cost, and of the answers that are known."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Index, Integer, Numeric, Table, Text, text

from shoald.adapters.postgres.tables import metadata


def _count(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=text("0"))


def _money() -> Column[Any]:
    return Column("money", Numeric, nullable=False, server_default=text("0"))


label_months = Table(
    "label_months",
    metadata,
    Column("namespace_id", Text, primary_key=True),
    Column("month", Date, primary_key=True),
    *map(_count, ("calls", "input_tokens", "output_tokens")),
    _money(),
)
label_spending = Table(
    "label_spending",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("month", Date, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("namespace_id", Text, nullable=False),
    *map(_count, ("questions", "calls", "input_tokens", "output_tokens", "counted_tokens")),
    _money(),
    Column("is_priced", Boolean, nullable=False, server_default=text("true")),
    Column("began_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
)
Index(
    "ix_label_spending_newest",
    label_spending.c.namespace_id,
    label_spending.c.model,
    label_spending.c.kind,
    label_spending.c.began_at.desc(),
)

label_answers = Table(
    "label_answers",
    metadata,
    Column("namespace_id", Text, primary_key=True),
    Column("content_hash", Text, primary_key=True),
    Column("answer", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)
Index("ix_label_answers_expired", label_answers.c.expires_at)
