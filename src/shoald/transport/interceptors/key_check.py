"""Lets in who has a key that allows the call, and keeps the key for whoever asks on whose behalf the call works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import grpc
from google.protobuf.message import Message

from shoald.application.access import Access, Caller, act_as
from shoald.domain.failures import Failure, PermissionDenied, Unavailable
from shoald.domain.platform_words import Scope
from shoald.domain.records.api_key import ApiKey
from shoald.transport import calls
from shoald.transport.error_bodies import Family
from shoald.transport.interceptors.method_interceptor import (
    Behaviour,
    MethodInterceptor,
    close_if_possible,
    is_service_of_grpc,
)
from shoald.transport.scopes import scope_of

_REFLECTION = "/grpc.reflection."


class KeyCheck(MethodInterceptor):
    """Asks for a key where keys are on; then reflection needs one, too, and health does not."""

    def __init__(self, access: Access) -> None:
        super().__init__()
        self._access = access

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Check before the behaviour."""
        if is_service_of_grpc(method):
            return behaviour

        def checked(request: Any, context: grpc.ServicerContext) -> Any:
            with self._admitted(method, request, context):
                return behaviour(self._still_checked(method, request, context), context)

        return checked

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Check before the first message."""
        if is_service_of_grpc(method):
            return self._reflecting(behaviour) if method.startswith(_REFLECTION) else behaviour

        def checked(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._admitted(method, request, context):
                answers = behaviour(self._still_checked(method, request, context), context)
                try:
                    yield from self._while_valid(method, answers, context)
                finally:
                    close_if_possible(answers)

        return checked

    def _still_checked(self, method: str, request: Any, context: grpc.ServicerContext) -> Any:
        """Return a request as it is, a stream of messages as one that ends with its key."""
        return self._while_valid(method, request, context) if isinstance(request, Iterator) else request

    def _while_valid(self, method: str, messages: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        """Yield messages until the key is revoked; a database that is away says nothing about a key."""
        shown = calls.metadata_of(context, "authorization")
        needs_key = scope_of(method) is not None
        for message in messages:
            if needs_key:
                with suppress(Unavailable):
                    self._access.key(shown)
            yield message

    def _reflecting(self, behaviour: Behaviour) -> Behaviour:
        def checked(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                self._access.key(calls.metadata_of(context, "authorization"))
            except Failure as failure:  # what answers for failures leaves the services of gRPC alone
                context.abort(grpc.StatusCode.UNAUTHENTICATED, failure.message)
            return behaviour(request, context)

        return checked

    @contextmanager
    def _admitted(self, method: str, request: Any, context: grpc.ServicerContext) -> Iterator[None]:
        act_as(None)
        scope = scope_of(method)
        key = None if scope is None else self._access.key(calls.metadata_of(context, "authorization"))
        if key is not None and scope is not None:
            check_allowed(key, scope, method)
        calls.keep_key(key, _namespace_in(method, request))
        # until the call names its namespace, it sees which namespaces there are for it
        act_as(Caller(namespace_id="", namespace_name="", key=key))
        try:
            yield
        finally:
            calls.keep_key(None, None)
            act_as(None)


def check_allowed(key: ApiKey, scope: Scope, method: str) -> None:
    """Raise `PermissionDenied` when a key does not allow a call."""
    if scope not in key.scopes and Scope.ADMIN not in key.scopes:
        detail = {"scope": str(scope), "scopes": sorted(key.scopes)}
        raise PermissionDenied(f"This needs a key with the scope {scope}.", detail=detail)
    if key.project_ids and Family.of_method(method) is Family.CLUSTERS:
        raise PermissionDenied("This key is for projects only, and this call is not about a project.")


def _namespace_in(method: str, request: Any) -> str | None:
    """Return the namespace that a request of the clusters API names itself, as a path does; it wins over the header."""
    if not isinstance(request, Message) or Family.of_method(method) is not Family.CLUSTERS:
        return None
    if "namespace_id" not in request.DESCRIPTOR.fields_by_name or ".NamespaceService/" in method:
        return None
    named: Any = request
    return str(named.namespace_id) or None
