"""Projects belong to namespaces that there are."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0010"
down_revision: str | None = "0009"

_SCHEMA = Path(__file__).with_suffix(".sql")
_BACK = Path(__file__).with_suffix(".down.sql")


def upgrade() -> None:
    """Make what is new."""
    # Straight to the driver: the text holds colons and percent signs that are no parameters.
    op.get_bind().connection.cursor().execute(_SCHEMA.read_text())


def downgrade() -> None:
    """Take it back."""
    op.get_bind().connection.cursor().execute(_BACK.read_text())
