"""Completes answers for JSON callers: marks of null, the sign of a bare array, and headers that servicers added."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.message import Message

from shoald.transport import calls
from shoald.transport.interceptors.method_interceptor import Behaviour, MethodInterceptor, is_service_of_grpc
from shoald.transport.json_values import bare_array_field, mark_nulls


class JsonForm(MethodInterceptor):
    """Changes nothing for typed callers, except that they get the same headers."""

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Mark one answer, and send its headers just before it."""
        if is_service_of_grpc(method):
            return behaviour

        def formed(request: Any, context: grpc.ServicerContext) -> Any:
            headers = calls.begin_headers()
            answer = behaviour(request, context)
            if calls.is_json(context) and isinstance(answer, Message):
                mark_nulls(answer)
                bare = bare_array_field(answer.DESCRIPTOR)
                if bare is not None:
                    headers.append(("x-unwrap", bare))
            if headers:
                context.send_initial_metadata(tuple(headers))
            return answer

        return formed

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Leave streams alone: JSON callers get file bodies only, and headers before a failure would hide it."""
        del method
        return behaviour
