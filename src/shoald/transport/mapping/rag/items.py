"""Items of sets: as the documented JSON, in parts of a bounded size, and as columns for typed clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from shoal.rag.v1 import item_pb2

from shoald.application.clone_patching import ClonePatch
from shoald.domain.json_types import JsonObject, JsonText
from shoald.domain.records.segment_set import SetItem
from shoald.transport.json_values import documented, plain_object
from shoald.transport.mapping.rag.fields import object_of


class ClonePatchRequest(Protocol):
    """A request for a derived set."""

    item_id: str

    @property
    def patch(self) -> Struct:
        """What to change."""
        ...

    @property
    def params(self) -> Struct:
        """What to store beside it."""
        ...


_PART_BYTES = 256 * 1024
_COLUMNS_BYTES = 1024 * 1024


def with_items(name: str, stored: Message, batches: Iterable[Sequence[SetItem]]) -> Iterator[HttpBody]:
    """Yield `{<name>: <the set>, "items": [...]}` in parts; memory is that of one batch, whatever the set's size."""
    content_type = "application/json"
    for part in _parts(_pieces(name, stored, batches)):
        yield HttpBody(content_type=content_type, data=part)
        content_type = ""


def _pieces(name: str, stored: Message, batches: Iterable[Sequence[SetItem]]) -> Iterator[bytes]:
    yield b"{" + orjson.dumps(name) + b":" + orjson.dumps(documented(stored)) + b',"items":['
    separator = b""
    for batch in filter(None, batches):
        yield separator
        yield b",".join([orjson.dumps(item_json(item), default=dict) for item in batch])
        separator = b","
    yield b"]}"


def _parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Gather small pieces and cut large ones: one item may be as large as a whole request."""
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        if len(buffer) >= _PART_BYTES:
            yield from (bytes(buffer[at : at + _PART_BYTES]) for at in range(0, len(buffer), _PART_BYTES))
            buffer.clear()
    if buffer:
        yield bytes(buffer)


def item_json(item: SetItem) -> dict[str, Any]:
    """Return an item as documented JSON: what Envoy would make of its message, without making one a hundred thousand
    times.
    """
    return {
        "item_id": item.item_id,
        "position": item.position,
        "content": item.content,
        "metadata": _as_stored(item.metadata),
        "parent_id": item.parent_id,
        "level": item.level,
        "path": item.path,
        "type": item.type,
        "original_format": item.original_format,
    }


def clone_patch_of(request: ClonePatchRequest) -> ClonePatch:
    """Return which item a request wants changed, and how."""
    return ClonePatch(
        item_id=request.item_id,
        patch=plain_object(request.patch),
        params=object_of(request.params, "params"),
    )


def _as_stored(metadata: JsonObject) -> Any:
    """Return what orjson writes as it is, where the store gave text."""
    return orjson.Fragment(metadata.text) if isinstance(metadata, JsonText) else metadata


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
    stored = item.metadata
    metadata = stored.text if isinstance(stored, JsonText) else orjson.dumps(stored, default=dict).decode()
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
