"""Serves reflection under both names in use: v1, which new tools ask for first, and v1alpha, which grpcio ships."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

_V1 = "grpc.reflection.v1.ServerReflection"
_V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


@cache
def _load_v1_file() -> None:
    """Put the file of v1 into the pool, so that its name can be listed and looked up."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    text = text_format.MessageToString(file).replace("reflection.v1alpha", "reflection.v1")
    renamed = text_format.Parse(text, descriptor_pb2.FileDescriptorProto())
    renamed.name = "grpc/reflection/v1/reflection.proto"
    descriptor_pool.Default().AddSerializedFile(renamed.SerializeToString())


def add_reflection(server: grpc.Server, services: Iterable[str]) -> None:
    """Let tools list these services and read their contracts."""
    _load_v1_file()
    servicer = reflection.ReflectionServicer([*services, _V1, _V1ALPHA])
    reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_V1, {"ServerReflectionInfo": handler}),))
