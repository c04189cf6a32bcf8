"""The first schema."""

from __future__ import annotations

from alembic import op

from shoald.adapters.postgres.tables import metadata

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make every table."""
    metadata.create_all(op.get_bind())


def downgrade() -> None:
    """Drop every table."""
    metadata.drop_all(op.get_bind())
