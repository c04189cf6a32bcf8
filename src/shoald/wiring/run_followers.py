"""What hangs on completed runs, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.application.enriching import EnrichingFollower
from shoald.application.output_collections import OutputWriting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoald.application.jobs import Jobs
    from shoald.application.ports.object_store import ObjectStore
    from shoald.application.ports.run_tables import RunTables
    from shoald.application.run_following import RunFollower


def run_followers(objects: ObjectStore, tables: RunTables, jobs: Jobs) -> Sequence[RunFollower]:
    """Return what writes the output of a run and what is written back into documents, in this order."""
    return [OutputWriting(objects=objects, tables=tables), EnrichingFollower(jobs)]
