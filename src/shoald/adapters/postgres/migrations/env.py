"""Alembic's entry: runs the migrations on the connection that `migrating.migrate` holds."""

from __future__ import annotations

from alembic import context

from shoald.adapters.postgres.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
