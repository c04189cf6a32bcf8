"""Items of sets: as the documented JSON, in parts of a bounded size, and as columns for typed clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from shoal.rag.v1 import item_pb2

from shoald.domain.records.segment_set import SetItem
from shoald.transport.json_values import documented

_PART_BYTES = 256 * 1024
_COLUMNS_BYTES = 1024 * 1024


def with_items(name: str, stored: Message, batches: Iterable[Sequence[SetItem]]) -> Iterator[HttpBody]:
    """Yield `{<name>: <the set>, "items": [...]}` in parts; memory is that of one batch, whatever the set's size."""
    buffer = bytearray(b"{" + orjson.dumps(name) + b":" + orjson.dumps(documented(stored)) + b',"items":[')
    content_type = "application/json"
    separator = b""
    for batch in batches:
        for item in batch:
            buffer += separator + orjson.dumps(item_json(item), default=dict)
            separator = b","
            if len(buffer) >= _PART_BYTES:
                yield HttpBody(content_type=content_type, data=bytes(buffer))
                content_type = ""
                buffer.clear()
    buffer += b"]}"
    yield HttpBody(content_type=content_type, data=bytes(buffer))


def item_json(item: SetItem) -> dict[str, Any]:
    """Return an item as documented JSON: what Envoy would make of its message, without making one a hundred thousand
    times.
    """
    return {
        "item_id": item.item_id,
        "position": item.position,
        "content": item.content,
        "metadata": item.metadata,
        "parent_id": item.parent_id,
        "level": item.level,
        "path": item.path,
        "type": item.type,
        "original_format": item.original_format,
    }


def columns(batches: Iterable[Sequence[SetItem]]) -> Iterator[item_pb2.ItemColumns]:
    """Yield items as columns of about a megabyte."""
    message, size = item_pb2.ItemColumns(), 0
    for batch in batches:
        for item in batch:
            size += _append(message, item)
            if size >= _COLUMNS_BYTES:
                yield message
                message, size = item_pb2.ItemColumns(), 0
    if message.item_id:
        yield message


def _append(message: item_pb2.ItemColumns, item: SetItem) -> int:
    metadata = orjson.dumps(item.metadata, default=dict).decode()
    message.item_id.append(item.item_id)
    message.position.append(item.position)
    message.content.append(item.content)
    message.metadata_json.append(metadata)
    message.parent_id.append(item.parent_id or "")
    message.level.append(item.level)
    message.path.add(titles=item.path)
    message.type.append(item.type)
    message.original_format.append(item.original_format)
    return len(item.content) + len(metadata) + len(item.item_id)
