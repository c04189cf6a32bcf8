"""The documented words of what surrounds runs (events, triggers, webhooks, keys, figures of documents), each once."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """What a webhook can be told of; what Shoal does not have never happens, but may be asked for."""

    OBJECT_CREATED = "object.created"
    OBJECTS_CREATED_BATCH = "objects.created.batch"
    OBJECT_UPDATED = "object.updated"
    OBJECT_DELETED = "object.deleted"
    DOCUMENT_CREATED = "document.created"
    DOCUMENT_UPDATED = "document.updated"
    DOCUMENT_DELETED = "document.deleted"
    DOCUMENTS_UPDATED_BATCH = "documents.updated.batch"
    DOCUMENTS_DELETED_BATCH = "documents.deleted.batch"
    COLLECTION_CREATED = "collection.created"
    COLLECTION_UPDATED = "collection.updated"
    COLLECTION_DELETED = "collection.deleted"
    COLLECTION_DOCUMENTS_WRITTEN = "collection.documents.written"
    COLLECTION_DOCUMENTS_BATCH_COMPLETED = "collection.documents.batch_completed"
    CLUSTER_CREATED = "cluster.created"
    CLUSTER_UPDATED = "cluster.updated"
    CLUSTER_DELETED = "cluster.deleted"
    CLUSTER_EXECUTION_STARTED = "cluster.execution.started"
    CLUSTER_EXECUTION_COMPLETED = "cluster.execution.completed"
    CLUSTER_EXECUTION_FAILED = "cluster.execution.failed"
    TRIGGER_CREATED = "trigger.created"
    TRIGGER_UPDATED = "trigger.updated"
    TRIGGER_DELETED = "trigger.deleted"
    TRIGGER_PAUSED = "trigger.paused"
    TRIGGER_RESUMED = "trigger.resumed"
    TRIGGER_FIRED = "trigger.fired"
    TRIGGER_EXECUTION_COMPLETED = "trigger.execution.completed"
    TRIGGER_EXECUTION_FAILED = "trigger.execution.failed"
    TAXONOMY_CREATED = "taxonomy.created"
    TAXONOMY_UPDATED = "taxonomy.updated"
    TAXONOMY_DELETED = "taxonomy.deleted"
    ALERT_CREATED = "alert.created"
    ALERT_UPDATED = "alert.updated"
    ALERT_DELETED = "alert.deleted"
    ALERT_TRIGGERED = "alert.triggered"
    ALERT_EXECUTION_COMPLETED = "alert.execution.completed"
    ALERT_EXECUTION_FAILED = "alert.execution.failed"
    ANNOTATION_CREATED = "annotation.created"
    ANNOTATION_UPDATED = "annotation.updated"
    ANNOTATION_DELETED = "annotation.deleted"
    RESOURCE_EXECUTED = "resource.executed"
    RESOURCE_EXECUTION_FAILED = "resource.execution_failed"
    MANIFEST_APPLY_RESOURCE_STATE = "manifest.apply.resource_state"


class TriggerType(StrEnum):
    """What makes a trigger fire."""

    CRON = "cron"
    INTERVAL = "interval"
    EVENT = "event"
    CONDITIONAL = "conditional"


class TriggerStatus(StrEnum):
    """Whether a trigger fires: paused by its owner, disabled by deletion, failed after five failures in a row."""

    ACTIVE = "active"
    PAUSED = "paused"
    DISABLED = "disabled"
    FAILED = "failed"


class TriggerAction(StrEnum):
    """What a trigger of the general API starts; of these Shoal does the first."""

    CLUSTER = "cluster"
    TAXONOMY_ENRICHMENT = "taxonomy_enrichment"
    BATCH_RERUN = "batch_rerun"
    COLLECTION_TRIGGER = "collection_trigger"
    RETRIEVER_EXECUTION = "retriever_execution"
    ALERT_EVALUATION = "alert_evaluation"


class TriggerEvent(StrEnum):
    """What an event trigger counts."""

    DOCUMENTS_ADDED = "documents_added"
    DOCUMENTS_UPDATED = "documents_updated"
    BATCH_COMPLETED = "batch_completed"


class TriggerCondition(StrEnum):
    """What a conditional trigger looks at."""

    DRIFT = "drift"
    VOLUME = "volume"
    QUALITY = "quality"
    CUSTOM = "custom"


class FiringStatus(StrEnum):
    """What became of a firing; a skipped one started no run."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    SKIPPED = "skipped"


class Scope(StrEnum):
    """What an API key may do; `admin` includes the others."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class NotificationChannel(StrEnum):
    """How somebody is told."""

    EMAIL = "email"
    SLACK = "slack"
    WEBHOOK = "webhook"


class NotificationContentType(StrEnum):
    """What the body of a message by email is written in."""

    PLAIN_TEXT = "plain_text"
    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"


class DeliveryStatus(StrEnum):
    """How a delivery stands: to be tried (again), taken by its receiver, or given up."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class DateUnit(StrEnum):
    """What a time is cut to before documents are grouped by it."""

    YEAR = "year"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


class DatePart(StrEnum):
    """Which part of a time documents are grouped by; days of a week count from Sunday, which is 1."""

    YEAR = "year"
    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    DAY_OF_WEEK = "dayOfWeek"
    DAY_OF_YEAR = "dayOfYear"
    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


class FigureFunction(StrEnum):
    """What is computed of each group of documents."""

    COUNT = "count"
    COUNT_DISTINCT = "count_distinct"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    FIRST = "first"
    LAST = "last"
    PUSH = "push"
    ADD_TO_SET = "add_to_set"


class FigureOperator(StrEnum):
    """How the figure of a group is compared."""

    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    EQ = "eq"
    NE = "ne"


class CollectionSourceType(StrEnum):
    """Where the documents of a collection come from, as its maker says."""

    BUCKET = "bucket"
    COLLECTION = "collection"


class CollectionFormat(StrEnum):
    """How the documents of a collection are written into a file."""

    PARQUET = "parquet"
    CSV = "csv"
    JSON = "json"


class BucketUnit(StrEnum):
    """The stretches of time that documents are counted by."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class NumberUnit(StrEnum):
    """What numbers that are times count, from 1970 on."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


class JoinMode(StrEnum):
    """How the documented call that tries a taxonomy out says what it is for; `batch` is refused."""

    ON_DEMAND = "on_demand"
    BATCH = "batch"
