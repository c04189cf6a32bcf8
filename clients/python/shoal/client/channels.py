"""Channels that add to every call what a connection knows, and raise its failures as `ShoalError`.

They are channels of gRPC: any stub can be made over them, also of services that are not Shoal's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Self

import grpc
from google.protobuf.message import Message
from grpc import aio
from shoal.client.errors import error_of
from shoal.client.methods import may_wait
from shoal.client.settings import Settings

Metadata = Sequence[tuple[str, str | bytes]]
_Multi = Callable[..., Any]


class _Calls:
    """What a method's calls have in common: metadata and a deadline."""

    def __init__(self, inner: Any, settings: Settings, path: str, *, has_deadline: bool) -> None:
        self._inner, self._settings = inner, settings
        self._deadline = self._own_deadline(path) if has_deadline else None

    def _own_deadline(self, path: str) -> float | None:
        return self._settings.job_deadline if may_wait(path) else self._settings.deadline

    def _arguments(self, timeout: float | None, metadata: Metadata | None, more: dict[str, Any]) -> dict[str, Any]:
        merged = (*self._settings.metadata, *(metadata or ()))
        return {"timeout": self._deadline if timeout is None else timeout, "metadata": merged, **more}


class _Raising:
    """A call under way that raises failures as ours and is the call itself in everything else."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class _Future(_Raising):
    """A call of one answer that was started and not waited for."""

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the answer."""
        try:
            return self._call.result(timeout)
        except grpc.RpcError as failed:
            raise error_of(failed) from None


class _Stream(_Raising):
    """A call of many answers."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as failed:
            raise error_of(failed) from None


class _Requests:
    """The messages of a stream that is sent; keeps what their making raised, which gRPC itself would swallow."""

    def __init__(self, messages: Iterable[Any]) -> None:
        self._messages = iter(messages)
        self.failure: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._messages)
        except StopIteration:
            raise
        except Exception as failed:
            self.failure = failed
            raise


class _AsyncRequests:
    """The same for messages that come from an asynchronous iterator."""

    def __init__(self, messages: AsyncIterable[Any]) -> None:
        self._messages = aiter(messages)
        self.failure: Exception | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._messages)
        except StopAsyncIteration:
            raise
        except Exception as failed:
            self.failure = failed
            raise


def _watched(request: Any) -> Any:
    """Return a message as it is, and a stream of messages as one that keeps its failure."""
    if isinstance(request, Message):
        return request
    return _AsyncRequests(request) if hasattr(request, "__aiter__") else _Requests(request)


def _cause(failed: Any, request: Any) -> Exception:
    """Return what a failed call is raised as: what making its messages raised, else what the server or gRPC said."""
    return getattr(request, "failure", None) or error_of(failed)


class _OneAnswer(_Calls):
    """Calls that wait for one answer, whatever they send."""

    def __call__(
        self, request: Any, timeout: float | None = None, metadata: Metadata | None = None, **more: Any
    ) -> Any:
        return self.with_call(request, timeout, metadata, **more)[0]

    def with_call(
        self, request: Any, timeout: float | None = None, metadata: Metadata | None = None, **more: Any
    ) -> tuple[Any, grpc.Call]:
        """Return the answer and the call, which has the headers."""
        sent = _watched(request)
        try:
            return self._inner.with_call(sent, **self._arguments(timeout, metadata, more))  # type: ignore[no-any-return]
        except grpc.RpcError as failed:
            raise _cause(failed, sent) from None

    def future(
        self, request: Any, timeout: float | None = None, metadata: Metadata | None = None, **more: Any
    ) -> _Future:
        """Start the call and return at once."""
        return _Future(self._inner.future(request, **self._arguments(timeout, metadata, more)))


class _ManyAnswers(_Calls):
    """Calls that answer with a stream, whatever they send."""

    def __call__(
        self, request: Any, timeout: float | None = None, metadata: Metadata | None = None, **more: Any
    ) -> _Stream:
        return _Stream(self._inner(request, **self._arguments(timeout, metadata, more)))


class Channel(grpc.Channel):
    """A channel for stubs that wait."""

    def __init__(self, settings: Settings) -> None:
        credentials, options = settings.credentials, settings.channel_options()
        self._settings = settings
        self._inner = (
            grpc.secure_channel(settings.target, credentials, options)
            if credentials
            else grpc.insecure_channel(settings.target, options)
        )

    def unary_unary(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method of one message and one answer."""
        return _OneAnswer(
            self._inner.unary_unary(method, *arguments, **more), self._settings, method, has_deadline=True
        )

    def stream_unary(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method that takes a stream; it has no deadline of its own."""
        inner = self._inner.stream_unary(method, *arguments, **more)
        return _OneAnswer(inner, self._settings, method, has_deadline=False)

    def unary_stream(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method that answers with a stream; it has no deadline of its own."""
        inner = self._inner.unary_stream(method, *arguments, **more)
        return _ManyAnswers(inner, self._settings, method, has_deadline=False)

    def stream_stream(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method of streams both ways; it has no deadline of its own."""
        inner = self._inner.stream_stream(method, *arguments, **more)
        return _ManyAnswers(inner, self._settings, method, has_deadline=False)

    def subscribe(self, callback: Callable[[grpc.ChannelConnectivity], None], try_to_connect: bool = False) -> None:  # noqa: FBT001, FBT002 - gRPC's own signature
        """Tell `callback` how the connection stands, whenever that changes."""
        self._inner.subscribe(callback, try_to_connect)

    def unsubscribe(self, callback: Callable[[grpc.ChannelConnectivity], None]) -> None:
        """Tell it no longer."""
        self._inner.unsubscribe(callback)

    def close(self) -> None:
        """Close the connection; calls under way end as canceled."""
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _AsyncAnswer(_Raising):
    """An asyncio call of one answer."""

    def __init__(self, call: Any, request: Any) -> None:
        super().__init__(call)
        self._request = request

    def __await__(self) -> Generator[Any, None, Any]:
        waiting: Generator[Any, None, Any] = self._call.__await__()
        try:
            return (yield from waiting)
        except aio.AioRpcError as failed:
            raise _cause(failed, self._request) from None
        except asyncio.CancelledError:
            # so does gRPC end a call whose messages could not be made
            if failure := getattr(self._request, "failure", None):
                raise failure from None
            raise


class _AsyncStream(_Raising):
    """An asyncio call of many answers."""

    def __init__(self, call: Any) -> None:
        super().__init__(call)
        self._messages: AsyncIterator[Any] = aiter(call)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._messages)
        except aio.AioRpcError as failed:
            raise error_of(failed) from None


class _AsyncOneAnswer(_Calls):
    def __call__(
        self, request: Any, timeout: float | None = None, metadata: Metadata | None = None, **more: Any
    ) -> _AsyncAnswer:
        sent = _watched(request)
        return _AsyncAnswer(self._inner(sent, **self._arguments(timeout, metadata, more)), sent)


class _AsyncManyAnswers(_Calls):
    def __call__(
        self, request: Any, timeout: float | None = None, metadata: Metadata | None = None, **more: Any
    ) -> _AsyncStream:
        return _AsyncStream(self._inner(request, **self._arguments(timeout, metadata, more)))


class AsyncChannel(aio.Channel):
    """A channel for stubs of asyncio."""

    def __init__(self, settings: Settings) -> None:
        credentials, options = settings.credentials, settings.channel_options()
        self._settings = settings
        self._inner = (
            aio.secure_channel(settings.target, credentials, options)
            if credentials
            else aio.insecure_channel(settings.target, options)
        )

    def unary_unary(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method of one message and one answer."""
        inner = self._inner.unary_unary(method, *arguments, **more)
        return _AsyncOneAnswer(inner, self._settings, method, has_deadline=True)

    def stream_unary(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method that takes a stream; it has no deadline of its own."""
        inner = self._inner.stream_unary(method, *arguments, **more)
        return _AsyncOneAnswer(inner, self._settings, method, has_deadline=False)

    def unary_stream(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method that answers with a stream; it has no deadline of its own."""
        inner = self._inner.unary_stream(method, *arguments, **more)
        return _AsyncManyAnswers(inner, self._settings, method, has_deadline=False)

    def stream_stream(self, method: str, *arguments: Any, **more: Any) -> Any:
        """Return what calls a method of streams both ways; it has no deadline of its own."""
        inner = self._inner.stream_stream(method, *arguments, **more)
        return _AsyncManyAnswers(inner, self._settings, method, has_deadline=False)

    async def close(self, grace: float | None = None) -> None:
        """Close the connection; calls under way get `grace` seconds."""
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002 - gRPC's own signature
        """Return how the connection stands."""
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Wait until it stands otherwise."""
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Wait until it is there."""
        await self._inner.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
