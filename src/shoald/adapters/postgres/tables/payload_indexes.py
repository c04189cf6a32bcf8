"""Tables of declared payload fields and of their values; triggers on the table of documents keep the values."""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, DateTime, Double, Index, String, Table, Text, false, text

from shoald.adapters.postgres.tables import metadata

payload_indexes = Table(
    "payload_indexes",
    metadata,
    Column("namespace_id", Text, primary_key=True),
    Column("field_name", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("done_collection", Text, nullable=False, server_default=text("''")),
    Column("done_document", String(collation="C")),
    Column("has_several", Boolean, nullable=False, server_default=false()),
    CheckConstraint("state IN ('building', 'ready', 'removing')", name="state"),
)

payload_values = Table(
    "payload_values",
    metadata,
    Column("namespace_id", Text, nullable=False),
    Column("collection_id", Text, nullable=False),
    Column("field_name", Text, nullable=False),
    Column("document_id", String(collation="C"), nullable=False),
    Column("text_value", String(collation="C"), nullable=False),
    Column("number_value", Double),
)
_columns = payload_values.c
Index(
    "ix_payload_values_value",
    _columns.collection_id,
    _columns.field_name,
    _columns.text_value,
    _columns.number_value,
    _columns.document_id,
    postgresql_include=["namespace_id"],
)
Index(
    "ix_payload_values_document",
    _columns.collection_id,
    _columns.document_id,
    _columns.field_name,
    _columns.text_value,
    _columns.number_value,
    postgresql_include=["namespace_id"],
)
