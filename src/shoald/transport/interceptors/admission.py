"""Lets in as many streams and waiting calls as there are threads for them, and no more of one caller than its share."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from shoald.domain.failures import Busy
from shoald.transport import calls
from shoald.transport.interceptors.method_interceptor import (
    Behaviour,
    MethodInterceptor,
    close_if_possible,
    is_service_of_grpc,
)


class Admission(MethodInterceptor):
    """Counts running calls, in all and of each caller; a stream holds its place from its start to its end."""

    def __init__(self, places: int, places_per_caller: int) -> None:
        super().__init__()
        self._places, self._per_caller = places, places_per_caller
        self._running: Counter[str] = Counter()
        self._counting = threading.Lock()

    def unary(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Hold a place while the behaviour runs."""
        if is_service_of_grpc(method):
            return behaviour

        def admitted(request: Any, context: grpc.ServicerContext) -> Any:
            with self._place(calls.caller_address(context)):
                return behaviour(request, context)

        return admitted

    def stream(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Hold a place until the stream ends or is dropped."""
        if is_service_of_grpc(method):
            return behaviour

        def admitted(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            with self._place(calls.caller_address(context)):
                answers = behaviour(request, context)
                try:
                    yield from answers
                finally:
                    close_if_possible(answers)

        return admitted

    @contextmanager
    def _place(self, caller: str) -> Iterator[None]:
        with self._counting:
            if self._running.total() >= self._places:
                raise Busy("Too many streams and waiting calls are running; try again shortly.")
            if self._running[caller] >= self._per_caller:
                raise Busy(
                    f"This caller holds {self._per_caller} streams and waiting calls, the most it may.",
                    detail={"limit": self._per_caller},
                )
            self._running[caller] += 1
        try:
            yield
        finally:
            with self._counting:
                self._running[caller] -= 1
                if not self._running[caller]:
                    del self._running[caller]
