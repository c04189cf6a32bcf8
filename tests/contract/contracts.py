"""The contracts as descriptors: every file of ours loaded, with lookups for tests."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "gen" / "python"
sys.path.append(str(ROOT))  # the tools are scripts, in no package that is installed


@cache
def load_all() -> tuple[Any, ...]:
    """Import every generated module of ours and return their file descriptors."""
    import_module("grpc_health.v1.health_pb2")
    modules = sorted((GENERATED / "shoal").rglob("*_pb2.py"))
    return tuple(
        import_module(".".join(path.relative_to(GENERATED).with_suffix("").parts)).DESCRIPTOR for path in modules
    )


def services() -> Iterator[Any]:
    """Yield the descriptor of every service."""
    for file in load_all():
        yield from file.services_by_name.values()


def methods() -> Iterator[Any]:
    """Yield the descriptor of every rpc."""
    for service in services():
        yield from service.methods


def method_named(name: str) -> Any:
    """Return the rpc called `shoal.rag.v1.ProjectService/GetProject`."""
    load_all()
    service, _, method = name.strip("/").partition("/")
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[method]


def messages() -> Iterator[Any]:
    """Yield the descriptor of every message, nested ones too."""
    for file in load_all():
        for message in file.message_types_by_name.values():
            yield from _with_nested(message)


def _with_nested(message: Any) -> Iterator[Any]:
    yield message
    for nested in message.nested_types:
        if not nested.GetOptions().map_entry:
            yield from _with_nested(nested)


@cache
def twin() -> descriptor_pb2.FileDescriptorSet:
    """Return the descriptor set that Envoy loads."""
    return descriptor_pb2.FileDescriptorSet.FromString((ROOT / "gen" / "envoy" / "shoal.binpb").read_bytes())
