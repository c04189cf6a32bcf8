"""The one list of servicers: how each is added to a server, and what it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor

from shoal.rag.v1 import service_info_service_pb2, service_info_service_pb2_grpc
from shoald.transport.servicers.rag.service_info import ServiceInfoServicer

if TYPE_CHECKING:
    from shoald.application.use_cases import UseCases


@dataclass(frozen=True, slots=True)
class Registration:
    """One service: its descriptor, the generated function that adds a servicer, and how the servicer is made."""

    service: ServiceDescriptor
    add: Callable[[Any, grpc.Server], None]
    make: Callable[[UseCases], Any]


REGISTRATIONS: tuple[Registration, ...] = (
    Registration(
        service_info_service_pb2.DESCRIPTOR.services_by_name["ServiceInfoService"],
        service_info_service_pb2_grpc.add_ServiceInfoServiceServicer_to_server,
        lambda _: ServiceInfoServicer(),
    ),
)


def add_servicers(use_cases: UseCases) -> Callable[[grpc.Server], Iterable[str]]:
    """Return what adds every servicer to a server and says the names of their services."""
    made = [(registration, registration.make(use_cases)) for registration in REGISTRATIONS]

    def add(server: grpc.Server) -> list[str]:
        for registration, servicer in made:
            registration.add(servicer, server)
        return [registration.service.full_name for registration, _ in made]

    return add
