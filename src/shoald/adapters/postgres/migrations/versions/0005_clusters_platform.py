"""The platform around cluster runs: definitions, output, triggers, webhooks, keys."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0005"
down_revision: str | None = "0004"

_SCHEMA = Path(__file__).with_suffix(".sql")
_BACK = Path(__file__).with_suffix(".down.sql")
# after every table: a table with a column namespace_id gets its policy there
_SECURITY = Path(__file__).with_name("0005_row_security.sql")
_SECURITY_BACK = Path(__file__).with_name("0005_row_security.down.sql")


def upgrade() -> None:
    """Make what is new."""
    # Straight to the driver: the text holds colons and percent signs that are no parameters.
    op.get_bind().connection.cursor().execute(_SCHEMA.read_text())
    op.get_bind().connection.cursor().execute(_SECURITY.read_text())


def downgrade() -> None:
    """Take it back."""
    op.get_bind().connection.cursor().execute(_SECURITY_BACK.read_text())
    op.get_bind().connection.cursor().execute(_BACK.read_text())
