"""Turns the violations that protovalidate finds into the documented list: type, loc, msg, input.

The id of a message-level CEL rule is the documented type itself (`union_tag_invalid`), its message the documented one.
"""

from __future__ import annotations

import re
from typing import Any

import protovalidate
from buf.validate import validate_pb2
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from shoald.domain.failures import FieldProblem
from shoald.transport.http_bindings import HttpBinding
from shoald.transport.json_values import Descriptor

Path = tuple[str | int, ...]
_FREE = {"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"}
_LARGEST_CHECKED_WHOLE = 256 * 1024
# larger requests are not repeated in their own error
_LARGEST_INPUT = 16 * 1024


def problems_in(message: Message, binding: HttpBinding | None) -> list[FieldProblem]:
    """Return what the contract's rules say against a request."""
    checked = _without_free_values(message) if message.ByteSize() > _LARGEST_CHECKED_WHOLE else message
    return [_problem(message, violation, binding) for violation in protovalidate.collect_violations(checked)]


def _without_free_values(message: Message) -> Message:
    """Return a copy in which free JSON is there but empty: no rule looks into it, and vectors in it are long."""
    copy = type(message)()
    for field, value in message.ListFields():
        kind = field.message_type
        if kind is None:
            copy.MergeFrom(type(message)(**{field.name: value}))
        elif kind.GetOptions().map_entry:
            _copy_map(getattr(copy, field.name), value)
        elif field.is_repeated:
            getattr(copy, field.name).extend(_emptied(element) for element in value)
        else:
            getattr(copy, field.name).SetInParent()
            getattr(copy, field.name).CopyFrom(_emptied(value))
    return copy


def _copy_map(copy: Any, value: Any) -> None:
    for key in value:
        if isinstance(value[key], Message):
            copy[key].CopyFrom(_emptied(value[key]))
        else:
            copy[key] = value[key]


def _emptied(message: Message) -> Message:
    return type(message)() if message.DESCRIPTOR.full_name in _FREE else _without_free_values(message)


def _problem(message: Message, violation: Any, binding: HttpBinding | None) -> FieldProblem:
    path = _path_of(violation.proto)
    field = _field_at(message.DESCRIPTOR, path)
    kind, text = _kind_and_text(violation, field, message, path)
    shown = _neighbours(message, path, binding) if kind == "missing" else _input(message, path)
    return FieldProblem(_loc(message, path, binding), kind, text, shown)


def _neighbours(message: Message, path: Path, binding: HttpBinding | None) -> Any:
    """Return what stood where the field is missing: of a body, without what the path and the query said."""
    found = _input(message, path[:-1])
    if len(path) != 1 or binding is None or not isinstance(found, dict):
        return found
    place = binding.place_of(str(path[0]))
    return {name: value for name, value in found.items() if binding.place_of(name) == place}


def _path_of(violation: Any) -> Path:
    """Return the way to the field: names, and positions or keys of repeated fields and maps."""
    path: list[str | int] = []
    for element in violation.field.elements if violation.field is not None else ():
        path.append(str(element.field_name))
        subscript = element.subscript
        if subscript is not None:
            path.append(subscript.value)
    return tuple(path)


def _loc(message: Message, path: Path, binding: HttpBinding | None) -> Path:
    """Return the documented location: where the field stood, then its path with the tags of unions in it."""
    place = binding.place_of(str(path[0])) if binding is not None and path else "body"
    tagged = _with_union_tags(message, path)
    if binding is not None and place == "body" and path and binding.body == path[0]:
        tagged = tagged[1:]
    return (place, *tagged)


def _with_union_tags(message: Message, path: Path) -> Path:
    """Put the tag of a tagged union behind the union's name, as the documents do: `strategy`, `bm25`, `k`."""
    steps: list[str | int] = []
    value: Any = message
    for position, step in enumerate(path):
        steps.append(step)
        value = _member(value, step)
        is_last = position == len(path) - 1
        if not is_last and isinstance(value, Message):
            steps.extend(union_tag(value))
    return tuple(steps)


def union_tag(message: Message) -> tuple[str, ...]:
    """Return what the documents put behind the name of a tagged union: its type, if it says one; of others nothing."""
    if not _is_union(message.DESCRIPTOR) or not message.type:  # type: ignore[attr-defined] # every tagged union has it
        return ()
    return (str(message.type),)  # type: ignore[attr-defined] # as above


def _is_union(descriptor: Descriptor) -> bool:
    rules = descriptor.GetOptions().Extensions[validate_pb2.message]
    return any(rule.id == "union_tag_invalid" for rule in rules.cel)


def _member(value: Any, step: str | int) -> Any:
    if isinstance(value, Message) and isinstance(step, str):
        return getattr(value, step, None)
    try:
        return value[step]
    except (KeyError, IndexError, TypeError):
        return None


def _field_at(descriptor: Descriptor, path: Path) -> FieldDescriptor | None:
    field: FieldDescriptor | None = None
    kind: Descriptor | None = descriptor
    for step in path:
        if not isinstance(step, str) or kind is None or step not in kind.fields_by_name:
            continue
        field = kind.fields_by_name[step]
        kind = field.message_type
    return field


def _input(message: Message, path: Path) -> Any:
    """Return what the caller sent at a path, as JSON; nothing for large requests."""
    if message.ByteSize() > _LARGEST_INPUT:
        return None
    value: Any = message
    for step in path:
        value = _member(value, step)
    return _as_json(value)


def _as_json(value: Any) -> Any:
    if isinstance(value, Message):
        return json_format.MessageToDict(value, preserving_proto_field_name=True)
    if isinstance(value, bytes):
        return None
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return [_as_json(element) for element in value]


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _one_of(words: list[str]) -> str:
    quoted = [f"'{word}'" for word in words]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"


_BOUNDS = {
    "gte": ("greater_than_equal", "Input should be greater than or equal to {}"),
    "gt": ("greater_than", "Input should be greater than {}"),
    "lte": ("less_than_equal", "Input should be less than or equal to {}"),
    "lt": ("less_than", "Input should be less than {}"),
}
_HOLDS = {
    "gte": lambda value, bound: value >= bound,
    "gt": lambda value, bound: value > bound,
    "lte": lambda value, bound: value <= bound,
    "lt": lambda value, bound: value < bound,
}


_SIZES = {
    "string.min_len": ("string_too_short", "String should have at least {}", "character"),
    "string.max_len": ("string_too_long", "String should have at most {}", "character"),
    "repeated.min_items": ("too_short", "List should have at least {} after validation, not {}", "item"),
    "repeated.max_items": ("too_long", "List should have at most {} after validation, not {}", "item"),
}
_NAMED = {
    "string.not_contains": ("value_error", "Value error, must not contain {!r}"),
    "string.pattern": ("string_pattern_mismatch", "String should match pattern '{}'"),
    "double.finite": ("finite_number", "Input should be a finite number"),
    "float.finite": ("finite_number", "Input should be a finite number"),
    "repeated.unique": ("value_error", "Value error, elements must differ"),
}
_BOUND_RULE = re.compile(r"[a-z0-9]+\.(gte?|lte?)(_(gte?|lte?))?(_exclusive)?")


def _kind_and_text(violation: Any, field: FieldDescriptor | None, message: Message, path: Path) -> tuple[str, str]:
    """Return the documented type and message of a violation."""
    rule_id, text = str(violation.proto.rule_id), str(violation.proto.message)
    if rule_id == "required":
        return "missing", "Field required"
    if rule_id in _SIZES:
        return _size(rule_id, int(violation.rule_value), _member_at(message, path))
    if rule_id.endswith(".in") and field is not None:
        words = _scalar_rules(field, rule_id).ListFields()
        return (
            "enum",
            f"Input should be {_one_of([str(word) for rule, listed in words if rule.name == 'in' for word in listed])}",
        )
    if _BOUND_RULE.fullmatch(rule_id) and field is not None:
        return _bound(_scalar_rules(field, rule_id), _member_at(message, path), text)
    if rule_id in _NAMED:
        kind, form = _NAMED[rule_id]
        return kind, form.format(violation.rule_value)
    # the id of a rule of ours is a documented type; what the library brought along is a wrong value
    return (rule_id, text) if rule_id and "." not in rule_id else ("value_error", f"Value error, {text}")


def _member_at(message: Message, path: Path) -> Any:
    value: Any = message
    for step in path:
        value = _member(value, step)
    return value


def _size(rule_id: str, bound: int, value: Any) -> tuple[str, str]:
    kind, form, word = _SIZES[rule_id]
    return kind, form.format(_plural(bound, word), len(value) if value is not None else 0)


def _scalar_rules(field: FieldDescriptor, rule_id: str) -> Any:
    """Return the rules of the field's kind (`string`, `int32`), those of its elements for a repeated field."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    if field.is_repeated:
        rules = rules.repeated.items
    return getattr(rules, rule_id.partition(".")[0])


def _bound(rules: Any, value: Any, text: str) -> tuple[str, str]:
    """Return what a number outside its bounds is told: the bound that it misses."""
    for name, (kind, form) in _BOUNDS.items():
        if rules.HasField(name) and not _HOLDS[name](value, getattr(rules, name)):
            return kind, form.format(_shown(getattr(rules, name)))
    return "value_error", f"Value error, {text}"


def _shown(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else str(bound)
