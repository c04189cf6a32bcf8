"""The collections that runs write their groups and members into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCollection:
    """One collection that the runs of a cluster write, and the run whose documents it holds.

    `feature` is the feature whose groups they are, where each has a collection of its own; else it is empty.
    """

    cluster_id: str
    namespace_id: str
    collection_id: str
    collection_name: str
    feature: str
    run_id: str
    updated_at: datetime
