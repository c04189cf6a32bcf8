"""One child: made for one file, limits itself, runs one parser, writes what it gives, ends.

A frame on standard output is four bytes of length and a line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import time
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

PR_SET_PDEATHSIG = 1
# files that a parser may open: none but what it imports late
OPEN_FILES = 32
COULD_NOT_TELL = 3
"""Exit code of a child that could not even say what went wrong."""
MOST_HELD_SECONDS = 0.5
PICTURE_FIELD = 7
"""Where an item has its picture; items may be shorter."""

# made once: there may be a million items, and other letters than ASCII are shorter as they are
_to_json = json.JSONEncoder(ensure_ascii=False).encode


class _NobodyReads(Exception):  # noqa: N818 - it says what is so
    """The pipe is closed: the result is not wanted any more."""


def run(request: dict[str, Any], nursery: int) -> NoReturn:
    """Parse standard input as the request says, and end the process, whatever happens."""
    code = COULD_NOT_TELL
    try:
        _die_with(nursery)
        _limit(request["memory_bytes"], request["cpu_seconds"])
        _parse(request)
        code = 0
    finally:
        # no clean-up is needed, and none of a damaged heap is wanted; nothing may get back into the nursery's loop
        os._exit(code)


def _parse(request: dict[str, Any]) -> None:
    try:
        frames = _frames(_items(request), request)
        # one at a time, so that what fails in the parser is told apart from a pipe that nobody reads
        while (frame := next(frames, None)) is not None:
            _send(frame)
    except _NobodyReads:
        raise
    except MemoryError:
        _send(_frame({"problem": "memory"}))
    except BaseException as error:  # noqa: BLE001 - whatever a parser raises is told, SystemExit too
        kind = "unusable" if type(error).__name__ == "UnusableFile" else "failed"
        words = str(error) if kind == "unusable" else f"{type(error).__name__}: {error}"
        _send(_frame({"problem": kind, "words": words[:1000]}))


def _die_with(parent: int) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _limit(memory_bytes: int, cpu_seconds: int) -> None:
    for kind, amount in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        least = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(kind, (least, least))


def _items(request: dict[str, Any]) -> Iterator[Any]:
    module, _, function = request["parser"].partition(":")
    parse = getattr(__import__(module, fromlist=[function]), function)
    with open(0, "rb", closefd=False) as file:
        yield from parse(file, source=request["source"], params=request["params"], **request["options"])


def _frames(items: Iterator[Any], limits: dict[str, Any]) -> Iterator[bytes]:
    """Yield frames of several items, and a last one that says how it ended."""
    batch: list[bytes] = []
    size, total, sent = 0, 0, time.monotonic()
    for position, item in enumerate(_timed(items, limits["item_cpu_seconds"])):
        encoded = _encoded(item)
        # titles, metadata and pictures count too: a few bytes of a file may stand in every segment
        total += len(encoded)
        if problem := _passed_limit(position, len(encoded), total, limits):
            yield _frame({"problem": problem})
            return
        batch.append(encoded)
        size += len(encoded)
        # what comes slowly is not held back: somebody counts the seconds without a sign
        if size >= limits["batch_bytes"] or time.monotonic() > sent + MOST_HELD_SECONDS:
            yield _items_frame(batch)
            batch, size, sent = [], 0, time.monotonic()
    yield _items_frame(batch)
    yield _frame({"end": True})


def _passed_limit(position: int, size: int, total: int, limits: dict[str, Any]) -> str | None:
    if position == limits["max_segments"]:
        return "segments"
    if size > limits["max_segment_bytes"]:
        return "segment"
    return "output" if total > limits["max_output_bytes"] else None


def _timed(items: Iterator[Any], seconds: float) -> Iterator[Any]:
    """Pass the items on; one that takes more processor time than `seconds` ends the process by SIGPROF."""
    while True:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        item = next(items, None)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if item is None:
            return
        yield item


def _items_frame(items: list[bytes]) -> bytes:
    return _framed(b'{"items": [' + b", ".join(items) + b"]}\n")


def _frame(value: dict[str, Any]) -> bytes:
    return _framed(_encoded(value) + b"\n")


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def _encoded(value: Any) -> bytes:
    text = _to_json(value)
    # names and titles come from anywhere; NULs and halves of surrogate pairs cannot be stored
    try:
        return (_to_json(_storable(value)) if "\\u0000" in text else text).encode()
    except UnicodeEncodeError:
        return _to_json(_storable(value)).encode()


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    return value


def _send(frame: bytes) -> None:
    view = memoryview(frame)
    while view:
        try:
            view = view[os.write(1, view) :]
        except BrokenPipeError:
            raise _NobodyReads from None
