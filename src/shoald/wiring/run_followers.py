"""What hangs on completed runs, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoald.application.enriching import EnrichingFollower
from shoald.application.output_collections import OutputWriting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoald.application.run_following import RunFollower
    from shoald.wiring.adapters import Adapters


def run_followers(adapters: Adapters) -> Sequence[RunFollower]:
    """Return what writes the output of a run and what is written back into documents, in this order."""
    return [OutputWriting(objects=adapters.objects, tables=adapters.run_tables), EnrichingFollower(adapters.jobs)]
