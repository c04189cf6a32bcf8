"""Reads descriptor sets: files of ours, messages by name, HTTP bindings, comments."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2

OURS = "shoal/"
_HTTP: Any = annotations_pb2.http  # google's own stubs do not know what it extends


def validate_descriptor_set() -> descriptor_pb2.FileDescriptorSet:
    """Return `buf/validate/validate.proto` as a descriptor set.

    No wheel carries the source file; protovalidate's own generated code holds its serialised descriptor as a literal.
    """
    spec = importlib.util.find_spec("protovalidate")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("protovalidate is not installed: run `make setup`")
    code = Path(spec.submodule_search_locations[0], "_gen/buf/validate/validate_pb.py").read_text(encoding="utf-8")
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    call = next(node for node in calls if getattr(node.func, "id", "") == "file_desc")
    file = descriptor_pb2.FileDescriptorProto.FromString(ast.literal_eval(call.args[0]))
    # betterproto2 fails on a file without source information; buf refuses a location with an empty span
    file.source_code_info.location.add(span=[0, 0, 0])
    return descriptor_pb2.FileDescriptorSet(file=[file])


@dataclass(frozen=True)
class Binding:
    """One HTTP method and path of an rpc, and how the body and the answer are bound."""

    method: str
    path: str
    body: str
    response_body: str


@dataclass(frozen=True)
class Rpc:
    """An rpc with where it stands: its package, service, comment and bindings."""

    package: str
    service: str
    method: descriptor_pb2.MethodDescriptorProto
    comment: str
    bindings: tuple[Binding, ...]

    @property
    def full_path(self) -> str:
        """The gRPC path, `/shoal.rag.v1.ProjectService/GetProject`."""
        return f"/{self.package}.{self.service}/{self.method.name}"


def _binding(rule: http_pb2.HttpRule) -> Binding:
    verb = rule.WhichOneof("pattern") or ""
    path = rule.custom.path if verb == "custom" else str(getattr(rule, verb))
    method = rule.custom.kind if verb == "custom" else verb.upper()
    return Binding(method, path, rule.body, rule.response_body)


def bindings_of(method: descriptor_pb2.MethodDescriptorProto) -> tuple[Binding, ...]:
    """Return the HTTP bindings of an rpc, the first one first; none for typed rpcs."""
    if not method.options.HasExtension(_HTTP):
        return ()
    rule: http_pb2.HttpRule = method.options.Extensions[_HTTP]
    return (_binding(rule), *(_binding(more) for more in rule.additional_bindings))


class Contract:
    """A descriptor set with lookups over it."""

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self.files = files
        self.messages: dict[str, descriptor_pb2.DescriptorProto] = {}
        self.comments: dict[str, str] = {}
        for file in files.file:
            self._index_comments(file)
            for message in file.message_type:
                self._index_message(f"{file.package}.{message.name}", message)

    def _index_message(self, name: str, message: descriptor_pb2.DescriptorProto) -> None:
        self.messages[name] = message
        for nested in message.nested_type:
            self._index_message(f"{name}.{nested.name}", nested)

    def _index_comments(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        for location in file.source_code_info.location:
            text = location.leading_comments.strip() or location.trailing_comments.strip()
            name = _name_at(file, list(location.path)) if text else ""
            if name:
                self.comments[name] = " ".join(line.strip() for line in text.splitlines()).strip()

    def ours(self) -> Iterator[descriptor_pb2.FileDescriptorProto]:
        """Yield the files written in this repository."""
        return (file for file in self.files.file if file.name.startswith(OURS))

    def rpcs(self, package: str = "shoal.") -> Iterator[Rpc]:
        """Yield every rpc of the packages that start with `package`."""
        for file in self.ours():
            if not file.package.startswith(package):
                continue
            for service in file.service:
                for method in service.method:
                    comment = self.comments.get(f"{file.package}.{service.name}.{method.name}", "")
                    yield Rpc(file.package, service.name, method, comment, bindings_of(method))


_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6


def _name_at(file: descriptor_pb2.FileDescriptorProto, path: list[int]) -> str:
    """Return the full name of what a source location's path points at, or nothing for what has no name."""
    if not path or path[0] not in {_MESSAGES, _SERVICES} or len(path) % 2:
        return ""
    if path[0] == _SERVICES:
        service = file.service[path[1]]
        return ".".join([file.package, service.name, *(service.method[i].name for i in path[3:4])])
    message, names, rest = file.message_type[path[1]], [file.message_type[path[1]].name], path[2:]
    while rest[:1] == [3]:
        message, rest = message.nested_type[rest[1]], rest[2:]
        names.append(message.name)
    if rest[:1] == [2]:
        names.append(message.field[rest[1]].name)
    elif rest:
        return ""
    return ".".join([file.package, *names])
