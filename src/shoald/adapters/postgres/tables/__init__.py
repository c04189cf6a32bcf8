"""The tables, one module per family; importing this package makes `metadata` complete."""

from __future__ import annotations

from sqlalchemy import MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# These add their tables to `metadata`.
from shoald.adapters.postgres.tables import (  # noqa: E402, F401
    api_keys,
    artifacts,
    clusters,
    evaluations,
    events,
    jobs,
    label_ledger,
    labels,
    outputs,
    payload_indexes,
    pipelines,
    rag,
    taxonomies,
    triggers,
    vectors,
    webhooks,
)
