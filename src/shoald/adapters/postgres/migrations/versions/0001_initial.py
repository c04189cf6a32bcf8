"""The first schema."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision: str | None = None

_SCHEMA = Path(__file__).with_suffix(".sql")


def upgrade() -> None:
    """Make every table."""
    # Straight to the driver: the text holds colons and percent signs that are no parameters.
    op.get_bind().connection.cursor().execute(_SCHEMA.read_text())


def downgrade() -> None:
    """Drop every table."""
    lines = _SCHEMA.read_text().splitlines()
    tables = [line.split()[2] for line in lines if line.startswith("CREATE TABLE ")]
    op.execute(f"DROP TABLE {', '.join(tables)}")
    op.execute("DROP FUNCTION jobs_keep_their_end()")
