"""Brings the database of the settings to the newest schema, then ends."""

from __future__ import annotations

from shoald.adapters.postgres.migrating import migrate
from shoald.settings import Settings


def run(settings: Settings, *, revision: str = "head", wait_seconds: float = 60.0) -> None:
    """Make the database where there is none and upgrade it; safe to run any number of times at once."""
    migrate(settings.database_url, revision=revision, wait_seconds=wait_seconds)
