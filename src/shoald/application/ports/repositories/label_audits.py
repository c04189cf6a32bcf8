"""What language models were shown and said, by run and group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shoald.domain.records.label_audit import LabelAudit


class LabelAuditRepository(Protocol):
    """One audit for each group of a run, that of its last labelling; they go with the run."""

    def put(self, audits: Sequence[LabelAudit]) -> None:
        """Keep audits in the place of those that the groups had."""
        ...

    def get(self, run_id: str, cluster_id: str) -> LabelAudit | None:
        """Return that of a group; None where no model was asked about it."""
        ...
