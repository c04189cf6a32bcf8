"""Items of sets: as the documented JSON, in parts of a bounded size, and as columns for typed clients."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import orjson
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from shoal.rag.v1 import item_pb2

from shoald.application.clone_patching import ClonePatch
from shoald.domain.json_types import JsonText
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


def with_items(name: str, stored: Message, batches: Iterable[str]) -> Iterator[HttpBody]:
    """Yield `{<name>: <the set>, "items": [...]}` in parts; memory is that of one batch, whatever the set's size.

    The batches hold the items as the documented JSON, joined by commas; none of them is empty.
    """
    content_type = "application/json"
    for part in _parts(_pieces(name, stored, batches)):
        yield HttpBody(content_type=content_type, data=part)
        content_type = ""


def _pieces(name: str, stored: Message, batches: Iterable[str]) -> Iterator[bytes]:
    yield b"{" + orjson.dumps(name) + b":" + orjson.dumps(documented(stored)) + b',"items":['
    separator = b""
    for batch in batches:
        yield separator
        yield batch.encode()
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


def clone_patch_of(request: ClonePatchRequest) -> ClonePatch:
    """Return which item a request wants changed, and how."""
    return ClonePatch(
        item_id=request.item_id,
        patch=plain_object(request.patch),
        params=object_of(request.params, "params"),
    )


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
