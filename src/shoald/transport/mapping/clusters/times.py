"""Times of records as protobuf's."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def to_timestamp(time: datetime) -> Timestamp:
    """Return a time as a message."""
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def optional_timestamp(time: datetime | None) -> Timestamp | None:
    """Return a time as a message; None stays None, and leaves its field unset."""
    return None if time is None else to_timestamp(time)
