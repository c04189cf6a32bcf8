"""A trigger, which starts runs of a cluster by itself, and its firings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import FiringStatus, TriggerAction, TriggerStatus

FAILURES_IN_A_ROW = 5
"""After so many a trigger fires no more until it is resumed."""
MOST_ACTIVE = 50
"""Active triggers that a namespace may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """When which cluster is run.

    `schedule_config` is what was asked for with its defaults, read by `domain.triggers.schedules`. `changes` are what
    its runs change of the definition, as a call that executes a cluster would. `due_at` is when it is looked at next;
    None for one that is not active, or that waits for events. `anchor_at` is where its intervals are counted from.
    `is_automatic` is true of the one that `auto_execute_on_batch` makes: it belongs to its cluster and is not listed.
    `measured` holds what conditions found last: `baseline`, `drift`, `volume`, `checked_at`. `created_by` is the id of
    the key with which it was made, None without keys.
    """

    trigger_id: str
    namespace_id: str
    cluster_id: str
    trigger_type: str
    schedule_config: JsonObject
    changes: JsonObject
    status: str = TriggerStatus.ACTIVE
    name: str | None = None
    description: str | None = None
    execution_config: JsonObject = field(default_factory=dict)
    action_type: str = TriggerAction.CLUSTER
    is_automatic: bool = False
    anchor_at: datetime
    due_at: datetime | None
    last_triggered_at: datetime | None = None
    last_execution_job_id: str | None = None
    execution_count: int = 0
    consecutive_failures: int = 0
    last_execution_status: str | None = None
    last_execution_error: str | None = None
    event_counter: int = 0
    event_sequence: int = 0
    last_cooldown_at: datetime | None = None
    measured: JsonObject = field(default_factory=dict)
    created_by: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def is_active(self) -> bool:
        """Whether it fires."""
        return self.status == TriggerStatus.ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One time that a trigger came round. `slot` tells it from all others of its trigger.

    `due_since` is the first slot that it stands for: earlier than `fired_for` when slots were missed. `job_id` and
    `run_id` are None where no run was started; of a skipped one `job_id` is the job of the run that stood in its way.
    """

    trigger_id: str
    namespace_id: str
    slot: str
    due_since: datetime
    fired_for: datetime
    triggered_at: datetime
    status: str = FiringStatus.PENDING
    job_id: str | None = None
    run_id: str | None = None
    completed_at: datetime | None = None
    error: str | None = None
    execution_time_ms: int | None = None
    num_clusters: int | None = None
    num_documents: int | None = None
