"""One child: made for one file, limits itself, runs one parser, writes what it gives, ends.

A frame on standard output is four bytes of length and a line of JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
from collections.abc import Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PR_SET_PDEATHSIG = 1
# files that a parser may open: none but what it imports late
OPEN_FILES = 32


def run(request: dict[str, Any], nursery: int) -> None:
    """Parse standard input as the request says, and end the process."""
    _die_with(nursery)
    _limit(request["memory_bytes"], request["cpu_seconds"])
    try:
        _send(_frames(_items(request), request))
    except BrokenPipeError:
        pass
    except MemoryError:
        _send(iter([_frame({"problem": "memory"})]))
    except Exception as error:  # noqa: BLE001 - whatever a parser raises is told, the child has no other end
        kind = "unusable" if type(error).__name__ == "UnusableFile" else "failed"
        words = str(error) if kind == "unusable" else f"{type(error).__name__}: {error}"
        _send(iter([_frame({"problem": kind, "words": words[:1000]})]))
    # no clean-up is needed, and none of a damaged heap is wanted
    os._exit(0)


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
    batch: list[Any] = []
    size = 0
    for position, item in enumerate(items):
        if position == limits["max_segments"] or len(item[0]) > limits["max_segment_bytes"]:
            kind = "segments" if position == limits["max_segments"] else "segment"
            yield _frame({"problem": kind})
            return
        batch.append(item)
        size += len(item[0])
        if size >= limits["batch_bytes"]:
            yield _frame({"items": batch})
            batch, size = [], 0
    yield _frame({"items": batch})
    yield _frame({"end": True})


def _frame(value: dict[str, Any]) -> bytes:
    body = json.dumps(value).encode() + b"\n"
    return len(body).to_bytes(4, "big") + body


def _send(frames: Iterator[bytes]) -> None:
    for frame in frames:
        view = memoryview(frame)
        while view:
            view = view[os.write(1, view) :]
