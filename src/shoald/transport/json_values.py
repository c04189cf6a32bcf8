"""Gives messages the documented JSON: nulls for unset fields, and the same JSON written here where Envoy does not.

Envoy prints `null` for an unset field when the answer carries the field's neighbour of the descriptor twin
(`tools/envoy_twin.py`): a NullValue under the field's number + 100,000, two to four bytes that typed clients skip.
"""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, json_format, struct_pb2
from google.protobuf.descriptor import Descriptor as PythonDescriptor
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from shoal.options.v1 import options_pb2

# the stubs tell the two implementations of descriptors apart, which are one to us
Descriptor = PythonDescriptor | Any
NULL_OFFSET = 100_000
_FILE_BODY = "google.api.HttpBody"
_VARINT_BITS = 7


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > (1 << _VARINT_BITS) - 1:
        parts.append(number & 0x7F | 0x80)
        number >>= _VARINT_BITS
    parts.append(number)
    return bytes(parts)


def _null_bytes(number: int) -> bytes:
    """Return the NullValue neighbour of a field on the wire: tag with wire type 0, then zero."""
    return _varint((number + NULL_OFFSET) << 3) + b"\0"


def is_ours(descriptor: Descriptor) -> bool:
    """Say whether a message is declared in this repository."""
    return bool(descriptor.file.name.startswith("shoal/"))


@cache
def nullable_fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    """Return the fields for which the documents show `null` when they are unset: the same rule as the twin's."""
    if not is_ours(descriptor) or descriptor.GetOptions().map_entry:
        return ()
    proto = descriptor_pb2.DescriptorProto()
    descriptor.CopyToProto(proto)
    made = {field.name for field in proto.field if field.proto3_optional}
    return tuple(field for field in descriptor.fields if _is_nullable(field, made))


def _is_nullable(field: FieldDescriptor, proto3_optional: set[str]) -> bool:
    if field.is_repeated or not field.has_presence:
        return False
    if field.message_type is not None and field.message_type.full_name == _FILE_BODY:
        return False
    if field.containing_oneof is not None and field.name not in proto3_optional:
        return False
    return not field.GetOptions().Extensions[options_pb2.omit_unset]


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _map_value(field: FieldDescriptor) -> FieldDescriptor:
    entry: Any = field.message_type
    value: FieldDescriptor = entry.fields_by_name["value"]
    return value


@dataclass(frozen=True, slots=True)
class _Marks:
    """What to do with one kind of message: nulls of its own, and members to walk into."""

    nulls: tuple[tuple[str, bytes], ...]
    single: tuple[str, ...]
    repeated: tuple[str, ...]
    maps: tuple[str, ...]


@cache
def _marks(descriptor: Descriptor) -> _Marks:
    inner = [f for f in descriptor.fields if f.message_type is not None and _leads_to_nulls(f, frozenset({descriptor}))]
    return _Marks(
        nulls=tuple((field.name, _null_bytes(field.number)) for field in nullable_fields(descriptor)),
        single=tuple(f.name for f in inner if not f.is_repeated),
        repeated=tuple(f.name for f in inner if f.is_repeated and not _is_map(f)),
        maps=tuple(f.name for f in inner if _is_map(f)),
    )


def _leads_to_nulls(field: FieldDescriptor, seen: frozenset[Descriptor]) -> bool:
    kind = _map_value(field).message_type if _is_map(field) else field.message_type
    if kind is None or not is_ours(kind):
        return False
    if kind in seen or nullable_fields(kind):
        return True
    return any(_leads_to_nulls(f, seen | {kind}) for f in kind.fields if f.message_type is not None)


def mark_nulls(message: Message) -> None:
    """Add the null marks that Envoy prints, through the whole message; cheap where there are none."""
    marks = _marks(message.DESCRIPTOR)
    for name in marks.single:
        if message.HasField(name):
            mark_nulls(getattr(message, name))
    for name in marks.repeated:
        for element in getattr(message, name):
            mark_nulls(element)
    for name in marks.maps:
        for element in getattr(message, name).values():
            mark_nulls(element)
    unset = b"".join(mark for name, mark in marks.nulls if not message.HasField(name))
    if unset:
        message.MergeFromString(unset)


def bare_array_field(descriptor: Descriptor) -> str | None:
    """Return the name of the one repeated field of a message that JSON clients see as a bare array, or None."""
    if not is_ours(descriptor) or not descriptor.GetOptions().Extensions[options_pb2.bare_array]:
        return None
    return str(next(field.name for field in descriptor.fields if field.is_repeated))


def plain(value: struct_pb2.Value) -> Any:
    """Return a protobuf Value as plain Python; integral numbers become integers, as JSON shows them."""
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "struct_value":
        return plain_object(value.struct_value)
    if kind == "list_value":
        return [plain(element) for element in value.list_value.values]
    return None if kind in {None, "null_value"} else getattr(value, kind)


def plain_object(value: struct_pb2.Struct) -> dict[str, Any]:
    """Return a Struct as a plain dictionary."""
    return {key: plain(member) for key, member in value.fields.items()}


def to_struct(value: Any) -> struct_pb2.Struct:
    """Return a Struct of a JSON object; raises `TypeError` for what JSON has not."""
    made = struct_pb2.Struct()
    _fill_struct(made, value)
    return made


def to_value(value: Any) -> struct_pb2.Value:
    """Return a protobuf Value of a JSON value; raises `TypeError` for what JSON has not."""
    made = struct_pb2.Value()
    _fill(made, value)
    return made


def _fill_struct(made: struct_pb2.Struct, value: Any) -> None:
    fields = made.fields
    for key, member in value.items():
        # where it stands: made by itself and copied there, a member takes thrice the time
        _fill(fields[key], member)


def _fill(made: struct_pb2.Value, value: Any) -> None:
    if isinstance(value, str):
        made.string_value = value
    elif value is None:
        made.null_value = struct_pb2.NULL_VALUE
    elif isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, (int, float)):
        made.number_value = value
    elif hasattr(value, "items"):
        made.struct_value.SetInParent()  # an empty object is one, too
        _fill_struct(made.struct_value, value)
    elif isinstance(value, Iterable):
        made.list_value.SetInParent()
        members = made.list_value.values
        for element in value:
            _fill(members.add(), element)
    else:
        raise TypeError(f"{type(value).__name__} is no JSON value")


_LARGEST_EXACT = 2.0**53


def _number(value: float) -> int | float | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) <= _LARGEST_EXACT else value


def _single_precision(value: float) -> int | float | None:
    """Return a 32-bit number as Envoy writes it: six digits where they read back as the same number, else nine."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.6g}")
    return _number(short if struct.pack("f", short) == struct.pack("f", value) else float(f"{value:.9g}"))


Printer = Callable[[Any], Any]
_WELL_KNOWN: dict[str, Printer] = {
    "google.protobuf.Struct": plain_object,
    "google.protobuf.Value": plain,
    "google.protobuf.ListValue": lambda value: [plain(element) for element in value.values],
}


@cache
def _message_printer(descriptor: Descriptor) -> Printer:
    if descriptor.full_name in _WELL_KNOWN:
        return _WELL_KNOWN[descriptor.full_name]
    if not is_ours(descriptor):
        return lambda message: json_format.MessageToDict(message, preserving_proto_field_name=True)
    return documented


def _scalar_printer(field: FieldDescriptor) -> Printer:
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return _number
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return _single_precision
    if field.type == FieldDescriptor.TYPE_BYTES:
        return lambda value: base64.b64encode(value).decode("ascii")
    return lambda value: value


def _printer(field: FieldDescriptor) -> Printer:
    if _is_map(field):
        member = _printer(_map_value(field))
        return lambda value: {str(key): member(value[key]) for key in value}
    one = _message_printer(field.message_type) if field.message_type is not None else _scalar_printer(field)
    if field.is_repeated:
        return lambda values: [one(value) for value in values]
    return one


@cache
def _members(descriptor: Descriptor) -> tuple[tuple[str, bool, bool, Printer], ...]:
    """Return name, presence, nullability and printer of each field."""
    nullable = {field.name for field in nullable_fields(descriptor)}
    return tuple(
        (f.name, bool(f.has_presence and not f.is_repeated), f.name in nullable, _printer(f)) for f in descriptor.fields
    )


def documented(message: Message) -> Any:
    """Return a message as plain Python that serialises to the documented JSON, the same that Envoy makes of it."""
    if not is_ours(message.DESCRIPTOR):
        return _message_printer(message.DESCRIPTOR)(message)
    body: dict[str, Any] = {}
    for name, has_presence, is_nullable, printer in _members(message.DESCRIPTOR):
        if not has_presence or message.HasField(name):
            body[name] = printer(getattr(message, name))
        elif is_nullable:
            body[name] = None
    bare = bare_array_field(message.DESCRIPTOR)
    return body if bare is None else body[bare]
