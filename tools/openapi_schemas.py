"""Turns messages into JSON schemas: rules, comments, nulls, and two forms where input and output differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from buf.validate import validate_pb2
from google.protobuf import descriptor_pb2
from tools.descriptors import Contract
from tools.envoy_twin import is_nullable

Json = dict[str, Any]
_Field = descriptor_pb2.FieldDescriptorProto

_WELL_KNOWN: dict[str, Json] = {
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Value": {},
    "google.protobuf.ListValue": {"type": "array", "items": {}},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string"},
    "google.protobuf.Empty": {"type": "object"},
    "google.api.HttpBody": {"type": "string", "format": "binary"},
}
_SCALARS: dict[int, Json] = {
    _Field.TYPE_STRING: {"type": "string"},
    _Field.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
    _Field.TYPE_BOOL: {"type": "boolean"},
    _Field.TYPE_DOUBLE: {"type": "number"},
    _Field.TYPE_FLOAT: {"type": "number"},
}
_RULES = {
    "min_len": "minLength",
    "max_len": "maxLength",
    "pattern": "pattern",
    "gte": "minimum",
    "lte": "maximum",
    "gt": "exclusiveMinimum",
    "lt": "exclusiveMaximum",
    "min_items": "minItems",
    "max_items": "maxItems",
    "unique": "uniqueItems",
    "min_pairs": "minProperties",
    "max_pairs": "maxProperties",
}


def _rules_of(field: _Field) -> Any:
    return field.options.Extensions[validate_pb2.field]


def is_required(field: _Field) -> bool:
    """Say whether a request must have the field."""
    return bool(_rules_of(field).required)


def _keywords(rules: Any) -> Json:
    """Return the schema keywords of the rules that JSON schema has words for."""
    kind = rules.WhichOneof("type")
    if kind is None:
        return {}
    keywords: Json = {}
    for rule, value in getattr(rules, kind).ListFields():
        if rule.name == "in":
            keywords["enum"] = list(value)
        elif rule.name in _RULES:
            keywords[_RULES[rule.name]] = value
    return keywords


class Schemas:
    """The schemas of one document, collected while operations ask for them."""

    def __init__(self, contract: Contract, prefix: str = "", details: Mapping[str, Any] | None = None) -> None:
        """`details` says what the contract cannot (`openapi_details.json`).

        Its `never_null` names fields, alone or as `Message.field`, that every answer has a value in, and `or_else` the
        message that a field of an answer may be instead.
        """
        self._contract, self._prefix = contract, prefix
        self._never_null = frozenset((details or {}).get("never_null", ()))
        self._or_else: Mapping[str, str] = (details or {}).get("or_else", {})
        self.components: Json = {}
        self._inputs: set[str] = set()
        self._outputs: set[str] = set()

    def output(self, name: str) -> Json:
        """Return the schema of an answer."""
        return self._of_message(name, is_input=False)

    def input(self, name: str, *, leave_out: frozenset[str] = frozenset()) -> Json:
        """Return the schema of a request body, without the fields that stand elsewhere."""
        if leave_out:
            return self._object(name, is_input=True, leave_out=leave_out)
        return self._of_message(name, is_input=True)

    def bare_array(self, name: str) -> Json | None:
        """Return the schema of the array that JSON clients see instead of a message, or None."""
        from shoal.options.v1 import options_pb2

        message = self._contract.messages.get(name)
        if message is None or not message.options.Extensions[options_pb2.bare_array]:
            return None
        field = next(field for field in message.field if field.label == _Field.LABEL_REPEATED)
        return self.field(name, field, is_input=False)

    def _of_message(self, name: str, *, is_input: bool) -> Json:
        if name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[name])
        component = self._component(name, is_input=is_input)
        if component not in self.components:
            self.components[component] = {}  # a message may hold itself
            self.components[component] = self._object(name, is_input=is_input)
        return {"$ref": f"#/components/schemas/{component}"}

    def _component(self, name: str, *, is_input: bool) -> str:
        short = ".".join(name.split(".")[3:])
        return f"{self._prefix}{short}{'-Input' if is_input and not short.endswith('Request') else ''}"

    def _object(self, name: str, *, is_input: bool, leave_out: frozenset[str] = frozenset()) -> Json:
        message = self._contract.messages[name]
        fields = [field for field in message.field if field.name not in leave_out]
        schema: Json = {"type": "object", "title": message.name}
        comment = self._contract.comments.get(name)
        if comment:
            schema["description"] = comment
        schema["properties"] = {field.name: self.field(name, field, is_input=is_input) for field in fields}
        required = [field.name for field in fields if self._must_be_there(message, field, is_input=is_input)]
        if required:
            schema["required"] = required
        return schema

    @staticmethod
    def _must_be_there(message: descriptor_pb2.DescriptorProto, field: _Field, *, is_input: bool) -> bool:
        if is_input:
            return is_required(field)
        has_presence = field.HasField("oneof_index") or (
            field.type == _Field.TYPE_MESSAGE and field.label != _Field.LABEL_REPEATED
        )
        return not has_presence or is_nullable(message, field)

    def field(self, owner: str, field: _Field, *, is_input: bool) -> Json:
        """Return the schema of one field, its comment included."""
        schema = self._repeated(field, is_input=is_input)
        other = None if is_input else self._or_else.get(f"{owner.rpartition('.')[2]}.{field.name}")
        schema = {"anyOf": [schema, self.output(other)]} if other else schema
        may_be_null = not is_required(field) if is_input else self._may_be_null(owner, field)
        if may_be_null and schema:
            schema = _or_null(schema)
        comment = self._contract.comments.get(f"{owner}.{field.name}")
        return {**schema, "description": comment} if comment else schema

    def _may_be_null(self, owner: str, field: _Field) -> bool:
        known = {field.name, f"{owner.rpartition('.')[2]}.{field.name}"}
        return not known & self._never_null and is_nullable(self._contract.messages[owner], field)

    def _repeated(self, field: _Field, *, is_input: bool) -> Json:
        if field.label != _Field.LABEL_REPEATED:
            return {**self._single(field, is_input=is_input), **_keywords(_rules_of(field))}
        entry = self._contract.messages.get(field.type_name.lstrip("."))
        if entry is not None and entry.options.map_entry:
            member = self._single(entry.field[1], is_input=is_input)
            return {"type": "object", "additionalProperties": member or True, **_keywords(_rules_of(field))}
        rules = _rules_of(field)
        items = {**self._single(field, is_input=is_input), **_keywords(rules.repeated.items)}
        return {"type": "array", "items": items, **_keywords(rules)}

    def _single(self, field: _Field, *, is_input: bool) -> Json:
        if field.type == _Field.TYPE_MESSAGE:
            return self._of_message(field.type_name.lstrip("."), is_input=is_input)
        if field.type == _Field.TYPE_ENUM:
            return {"type": "null"} if field.type_name.endswith("NullValue") else {"type": "string"}
        return dict(_SCALARS.get(field.type, {"type": "integer"}))


def _or_null(schema: Json) -> Json:
    if "$ref" in schema or "enum" in schema or "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}
