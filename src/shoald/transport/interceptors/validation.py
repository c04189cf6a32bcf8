"""Refuses requests that cannot be read or break the contract's rules, before any of our code sees them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import struct_pb2
from google.protobuf.message import DecodeError, Message

from shoald.domain.failures import FieldProblem, InvalidFields
from shoald.transport import calls
from shoald.transport.http_bindings import binding_for
from shoald.transport.interceptors.method_interceptor import Behaviour, MethodInterceptor, is_service_of_grpc
from shoald.transport.violations import problems_in, union_tag

# the last two bytes of every NaN and infinity as a little-endian double; other data may look like them
_MAY_BE_INFINITE = re.compile(rb"[\xf0-\xff][\x7f\xff]")
_UNREADABLE = "The request cannot be read: text must be UTF-8, and objects nested at most 100 levels deep"


@dataclass(frozen=True, slots=True)
class Unusable:
    """Stands for a request that is refused for its bytes alone."""

    problems: tuple[FieldProblem, ...]


class Validation(MethodInterceptor):
    """Checks every request message; of a stream from the client, the first by the rules and each for its bytes."""

    def deserializer(self, method: str, original: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        """Return a deserializer that never raises."""
        if is_service_of_grpc(method):
            return original

        def deserialize(raw: bytes) -> Any:
            try:
                message = original(raw)
            except (DecodeError, ValueError, RecursionError):
                return Unusable((FieldProblem(("body",), "value_error", _UNREADABLE),))
            problems = _forbidden_values(message, raw)
            return Unusable(tuple(problems)) if problems else message

        return deserialize

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Check before the behaviour runs."""
        if is_service_of_grpc(method):
            return behaviour
        return lambda request, context: behaviour(_checked(method, request, context), context)

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Check before the behaviour runs, at the first message that is asked for."""
        if is_service_of_grpc(method):
            return behaviour

        def checked(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            yield from behaviour(_checked(method, request, context), context)

        return checked


def _checked(method: str, request: Any, context: grpc.ServicerContext) -> Any:
    if isinstance(request, (Message, Unusable)):
        return _check(method, request, context)
    return _check_stream(method, request, context)


def _check(method: str, request: Any, context: grpc.ServicerContext) -> Any:
    binding = binding_for(method, calls.http_request(context))
    if isinstance(request, Unusable):
        raise InvalidFields([_placed(problem, binding) for problem in request.problems])
    problems = problems_in(request, binding)
    if problems:
        raise InvalidFields(problems)
    return request


def _placed(problem: FieldProblem, binding: Any) -> FieldProblem:
    """Name the part of the HTTP request that the field stood in."""
    if binding is None or len(problem.loc) == 1:
        return problem
    place = binding.place_of(str(problem.loc[1]))
    loc = problem.loc[2:] if place == "body" and binding.body == problem.loc[1] else problem.loc[1:]
    return FieldProblem((place, *loc), problem.kind, problem.message)


def _check_stream(method: str, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
    for position, request in enumerate(requests):
        if position == 0 or isinstance(request, Unusable):
            _check(method, request, context)
        yield request


def _forbidden_values(message: Message, raw: bytes) -> list[FieldProblem]:
    """Return the fields that hold text with NUL, which PostgreSQL cannot store, or a number that JSON has not."""
    if b"\0" not in raw and not _MAY_BE_INFINITE.search(raw):
        return []
    return list(_walk(message, ("body",)))


def _walk(value: Any, loc: tuple[str | int, ...]) -> Iterator[FieldProblem]:
    if isinstance(value, struct_pb2.Struct):
        for key, member in value.fields.items():
            yield from _walk_text(key, (*loc, key.replace("\0", "\\0")))
            yield from _walk(member, (*loc, key.replace("\0", "\\0")))
    elif isinstance(value, struct_pb2.Value):
        yield from _walk(getattr(value, value.WhichOneof("kind") or "null_value"), loc)
    elif isinstance(value, struct_pb2.ListValue):
        if not _is_finite_vector(value):
            yield from _walk_all(value.values, loc)
    elif isinstance(value, Message):
        for field, member in value.ListFields():
            yield from _walk(member, (*loc, *union_tag(value), field.name))
    elif isinstance(value, (str, bytes, int, float)):
        yield from _walk_scalar(value, loc)
    else:
        yield from _walk_all(value, loc)


def _walk_all(values: Any, loc: tuple[str | int, ...]) -> Iterator[FieldProblem]:
    if hasattr(values, "items"):
        for key in values:
            yield from _walk(values[key], (*loc, key))
        return
    for position, element in enumerate(values):
        yield from _walk(element, (*loc, position))


# a number as an element of a ListValue on the wire: head of the element, tag of the number, eight bytes
_HEAD_OF_NUMBER = b"\x0a\x09\x11"
_BYTES_OF_NUMBER = 11


def _is_finite_vector(value: struct_pb2.ListValue) -> bool:
    """Say whether a list holds finite numbers alone; vectors are long, so that this saves most of the walk."""
    n = len(value.values)
    if value.ByteSize() != _BYTES_OF_NUMBER * n:
        return False
    raw = value.SerializeToString()
    if any(raw[place::_BYTES_OF_NUMBER] != bytes([byte]) * n for place, byte in enumerate(_HEAD_OF_NUMBER)):
        return False
    return all(map(math.isfinite, [element.number_value for element in value.values]))


def _walk_scalar(value: str | bytes | float, loc: tuple[str | int, ...]) -> Iterator[FieldProblem]:
    if isinstance(value, str):
        yield from _walk_text(value, loc)
    elif isinstance(value, float) and not math.isfinite(value):
        yield FieldProblem(loc, "finite_number", "Input should be a finite number")


def _walk_text(text: str, loc: tuple[str | int, ...]) -> Iterator[FieldProblem]:
    if "\0" in text:
        yield FieldProblem(loc, "value_error", "Value error, text must not contain NUL characters")
