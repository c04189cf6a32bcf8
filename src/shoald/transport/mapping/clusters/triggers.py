"""Triggers and their firings as messages of both APIs, and requests about them as what the use case reads."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format
from shoal.clusters.v1 import (
    cluster_service_pb2,
    cluster_trigger_service_pb2,
    trigger_pb2,
    trigger_service_pb2,
)

from shoald.application.trigger_requests import CONFIG, action_of, definition_of
from shoald.application.triggers import TriggerChanges, TriggerQuery, TriggerRequest, TriggerState
from shoald.domain.failures import InvalidFields
from shoald.domain.json_types import JsonObject
from shoald.domain.platform_words import TriggerStatus
from shoald.domain.records.trigger import Firing, Trigger
from shoald.domain.vocabulary import ExecutionMode
from shoald.transport.json_values import plain_object, to_struct
from shoald.transport.mapping.clusters.clusters import asked_of
from shoald.transport.mapping.clusters.times import optional_timestamp, to_timestamp
from shoald.transport.violations import problems_in

_ORGANIZATION = "int_shoal"
"""Clients insist on the id of an organization; there is one in an installation."""
_DEFAULT_LIMIT = 50


def cluster_request_of(request: cluster_trigger_service_pb2.CreateClusterTriggerRequest) -> TriggerRequest:
    """Return what is to be started, and when; raises `InvalidFields` for what defines no cluster."""
    given = request.execution_config
    config: dict[str, Any] = {}
    if request.HasField("execution_config"):
        config = {"collection_ids": list(given.collection_ids), "config": plain_object(given.config)}
    if config and request.cluster_id:
        message = "cannot stand beside cluster_id, whose cluster has a definition"
        raise InvalidFields.field("body", "execution_config", message=message, value=config)
    return TriggerRequest(
        cluster=request.cluster_id or None,
        definition=_definition(definition_of(config, request.description or None)) if config else {},
        execution_config=config,
        trigger_type=request.trigger_type,
        schedule_config=plain_object(request.schedule_config),
        description=request.description or None,
        status=request.status or TriggerStatus.ACTIVE,
    )


def _definition(asked: dict[str, Any]) -> JsonObject:
    """Return a definition that stood in free JSON as a request for it would say it, held to that one's rules."""
    try:
        message = json_format.ParseDict(asked, cluster_service_pb2.CreateClusterRequest())
    except json_format.ParseError as error:
        raise InvalidFields.field(*CONFIG, message=f"defines no cluster: {error}", value=asked) from error
    problems = problems_in(message, None)
    if problems:
        raise InvalidFields(problems).within(*CONFIG)
    return asked_of(message)


def general_request_of(request: trigger_service_pb2.CreateTriggerRequest) -> TriggerRequest:
    """Return what is to be started, and when; raises `Unsupported` or `InvalidFields`."""
    cluster, changes = action_of(request.action_type, plain_object(request.action_config))
    return TriggerRequest(
        cluster=cluster,
        trigger_type=request.trigger_type,
        schedule_config=plain_object(request.schedule_config),
        changes=changes,
        name=request.name or None,
        description=request.description or None,
        status=request.status or TriggerStatus.ACTIVE,
    )


def changes_of(body: Any) -> TriggerChanges:
    """Return what a body changes: that of the one API or of the other."""

    def value(name: str) -> Any:
        return getattr(body, name) if name in body.DESCRIPTOR.fields_by_name and body.HasField(name) else None

    schedule = value("schedule_config")
    return TriggerChanges(
        schedule_config=None if schedule is None else plain_object(schedule),
        name=value("name"),
        description=value("description"),
        status=value("status"),
    )


def query_of(request: Any) -> TriggerQuery:
    """Return which triggers to list."""
    is_general = "resource_id" in request.DESCRIPTOR.fields_by_name
    return TriggerQuery(
        cluster=(request.resource_id if is_general else request.cluster_id) or None,
        trigger_type=request.trigger_type or None,
        status=request.status or None,
        action_type=(request.action_type if is_general else "") or None,
        limit=request.limit or _DEFAULT_LIMIT,
        offset=request.offset,
        sort_by=request.sort_by or "created_at",
        descending=request.direction != "asc",
    )


def page_of(body: Any) -> tuple[int, int]:
    """Return how many firings are asked for, and how many are skipped."""
    return body.limit or _DEFAULT_LIMIT, body.offset


def cluster_message(state: TriggerState) -> trigger_pb2.Trigger:
    """Return a trigger as the API of clusters shows it."""
    trigger = state.trigger
    shown = trigger.execution_config
    return trigger_pb2.Trigger(
        trigger_id=trigger.trigger_id,
        cluster_id=trigger.cluster_id,
        namespace_id=trigger.namespace_id,
        internal_id=_ORGANIZATION,
        execution_config=trigger_pb2.TriggerExecution(
            collection_ids=shown["collection_ids"], config=to_struct(_said(shown["config"]))
        ),
        last_execution_job_id=trigger.last_execution_job_id,
        **_shared(trigger),
    )


def general_message(state: TriggerState) -> trigger_pb2.GeneralTrigger:
    """Return a trigger as the general API shows it."""
    trigger, measured = state.trigger, state.trigger.measured
    message = trigger_pb2.GeneralTrigger(
        trigger_id=trigger.trigger_id,
        namespace_id=trigger.namespace_id,
        internal_id=_ORGANIZATION,
        action_type=trigger.action_type,
        action_config=to_struct(
            {"cluster_id": trigger.cluster_id, "mode": ExecutionMode.FULL.value, **trigger.changes}
        ),
        last_execution_task_id=trigger.last_execution_job_id,
        name=trigger.name,
        is_overdue=state.is_overdue,
        **_shared(trigger),
    )
    for field, kind in _MEASURED.items():
        if measured.get(kind) is not None:
            getattr(message, field).CopyFrom(to_struct(measured[kind]))
    if measured.get("checked_at"):
        message.last_condition_check_at.FromJsonString(measured["checked_at"])
    return message


_MEASURED = {
    "baseline_snapshot": "baseline",
    "last_drift_measurement": "drift",
    "last_volume_measurement": "volume",
}


def _shared(trigger: Trigger) -> dict[str, Any]:
    """Return the fields that both APIs show."""
    is_timed = trigger.trigger_type != "event"
    return {
        "trigger_type": trigger.trigger_type,
        "schedule_config": to_struct(_said(trigger.schedule_config)),
        "status": str(trigger.status),
        "last_triggered_at": optional_timestamp(trigger.last_triggered_at),
        "next_scheduled_at": optional_timestamp(trigger.due_at if is_timed else None),
        "execution_count": trigger.execution_count,
        "consecutive_failures": trigger.consecutive_failures,
        "last_execution_status": trigger.last_execution_status,
        "last_execution_error": trigger.last_execution_error,
        "event_counter": trigger.event_counter,
        "last_cooldown_at": optional_timestamp(trigger.last_cooldown_at),
        "created_by": trigger.created_by,
        "created_at": to_timestamp(trigger.created_at),
        "updated_at": to_timestamp(trigger.updated_at),
        "description": trigger.description,
    }


def _said(config: JsonObject) -> JsonObject:
    return {name: value for name, value in config.items() if value is not None}


def cluster_firing(firing: Firing) -> trigger_pb2.TriggerHistoryItem:
    """Return a firing as the API of clusters shows it."""
    return trigger_pb2.TriggerHistoryItem(
        job_id=firing.job_id or "",
        triggered_at=to_timestamp(firing.triggered_at),
        status=str(firing.status),
        execution_time_ms=firing.execution_time_ms,
        error=firing.error,
        num_clusters=firing.num_clusters,
        num_documents=firing.num_documents,
    )


def general_firing(firing: Firing) -> trigger_pb2.GeneralTriggerHistoryItem:
    """Return a firing as the general API shows it."""
    return trigger_pb2.GeneralTriggerHistoryItem(
        task_id=firing.job_id or "",
        triggered_at=to_timestamp(firing.triggered_at),
        status=str(firing.status),
        execution_time_ms=firing.execution_time_ms,
        error=firing.error,
    )
