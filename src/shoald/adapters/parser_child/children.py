"""The side that wants children: keeps one nursery, and holds one running child."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess  # the children are this package's purpose
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from shoald.adapters.parser_child.limits import MIB, OUTPUT_PER_BYTE, ParserLimits
from shoald.domain.failures import Failure, InvalidLoaderParams, Unavailable

READ_BYTES = 256 * 1024
EXIT_SECONDS = 5.0
_PARAMETER = re.compile(r"loader_params\.(\w+)")
_NURSERY = str(Path(__file__).with_name("nursery.py"))


class Children:
    """Makes children by way of a nursery, which is started when it is first needed, and again when it was lost."""

    def __init__(self, *, path: Sequence[str], modules: Sequence[str]) -> None:
        self._path, self._modules = list(path), list(modules)
        self._lock = threading.Lock()
        self._line: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None

    def start(self, file: int, request: dict[str, Any], limits: ParserLimits) -> Child:
        """Start a child that parses the open file as the request says."""
        read_end, write_end = os.pipe()
        ours, theirs = socket.socketpair()
        order = os.memfd_create("request")
        try:
            os.write(order, json.dumps(request).encode())
            self._send(request["parser"].partition(":")[0], [file, write_end, order, theirs.fileno()])
        except BaseException:
            os.close(read_end)
            ours.close()
            raise
        finally:
            os.close(write_end)
            os.close(order)
            theirs.close()
        return Child(read_end, ours, limits, request["clocked"])

    def close(self) -> None:
        """End the nursery and every child."""
        with self._lock:
            self._drop()

    def _send(self, module: str, files: list[int]) -> None:
        message = bytes([self._modules.index(module)])
        with self._lock:
            for is_last in (False, True):
                try:
                    socket.send_fds(self._line or self._begin(), [message], files)
                except OSError:
                    self._drop()
                    if is_last:
                        raise
                else:
                    return

    def _begin(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        plan = json.dumps({"path": self._path, "modules": self._modules, "socket": theirs.fileno()})
        self._folder = tempfile.mkdtemp(prefix="shoal-parser-")
        self._process = subprocess.Popen(
            # -I and -S: no environment, no site; the nursery is told where to import from
            [sys.executable, "-I", "-S", "-B", _NURSERY, plan],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            cwd=self._folder,
            env={},
            start_new_session=True,
        )
        theirs.close()
        self._line = ours
        return ours

    def _drop(self) -> None:
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(EXIT_SECONDS)
            if self._process.returncode is None:
                self._process.kill()
                self._process.wait()
        if self._folder is not None:
            # the nursery has removed it, if it came so far
            with contextlib.suppress(OSError):
                Path(self._folder).rmdir()
        self._line = self._process = self._folder = None


class Child:
    """One running child and the frames that come from it."""

    def __init__(self, out: int, line: socket.socket, limits: ParserLimits, clocked: str) -> None:
        self._out, self._line, self._limits, self._clocked = out, line, limits, clocked
        self._ready = select.poll()
        self._ready.register(out, select.POLLIN)
        self._buffer = bytearray()

    def items(self) -> Iterator[list[Any]]:
        """Yield what the parser gives.

        Raises `InvalidLoaderParams` when it did not come to its end, `Unavailable` when that was not its fault.
        """
        while True:
            frame = self._frame()
            if "problem" in frame:
                raise self._problem(frame)
            if "end" in frame:
                return
            yield from frame["items"]

    def end(self) -> None:
        """Let go of it; the nursery kills it if it still runs."""
        self._line.close()
        os.close(self._out)

    def _frame(self) -> dict[str, Any]:
        self._fill(4)
        length = int.from_bytes(self._buffer[:4], "big")
        self._fill(4 + length)
        frame: dict[str, Any] = json.loads(bytes(self._buffer[4 : 4 + length]))
        del self._buffer[: 4 + length]
        return frame

    def _fill(self, wanted: int) -> None:
        deadline = time.monotonic() + self._limits.stall_seconds
        while len(self._buffer) < wanted:
            if not self._ready.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise InvalidLoaderParams(f"the parser gave nothing for {self._limits.stall_seconds:g} seconds")
            block = os.read(self._out, READ_BYTES)
            if not block:
                raise self._death()
            self._buffer += block

    def _problem(self, frame: dict[str, Any]) -> InvalidLoaderParams:
        limits = self._limits
        if frame["problem"] == "memory":
            return InvalidLoaderParams(
                f"the file needs more memory than its parser may use ({_mib(limits.memory_bytes)})"
            )
        if frame["problem"] == "segments":
            return InvalidLoaderParams(f"the file gives more than {limits.max_segments:,} segments, which is the limit")
        if frame["problem"] == "segment":
            return InvalidLoaderParams(f"a segment would be larger than {_mib(limits.max_segment_bytes)}")
        if frame["problem"] == "output":
            return InvalidLoaderParams(
                f"the segments would take more than {_mib(limits.max_output_bytes)} and {OUTPUT_PER_BYTE} times the"
                " file, which is the limit"
            )
        words = frame["words"]
        if frame["problem"] == "failed":
            return InvalidLoaderParams(f"the file could not be parsed: {words}")
        parameter = _PARAMETER.match(words)
        return InvalidLoaderParams(words, detail={"parameter": parameter.group(1)} if parameter else None)

    def _death(self) -> Failure:
        code = self._exit_code()
        if code is None:
            return Unavailable("the process that reads files was lost; try again")
        if code == -signal.SIGALRM:
            return InvalidLoaderParams(
                f"loader_params.{self._clocked} took too long on this file", detail={"parameter": self._clocked}
            )
        if code in {-signal.SIGXCPU, -signal.SIGPROF}:
            return InvalidLoaderParams("the file took more processor time than its parser may use")
        if code == -signal.SIGKILL:
            return InvalidLoaderParams(
                "the parser was ended: the file took more processor time than it may, or the machine had no memory left"
            )
        return InvalidLoaderParams(
            f"the parser of the file ended early (code {code}); a damaged file, or one that needs more than "
            f"{_mib(self._limits.memory_bytes)} of memory, can cause this"
        )

    def _exit_code(self) -> int | None:
        """Return what the nursery says, None when it is gone itself."""
        self._line.settimeout(EXIT_SECONDS)
        try:
            said = self._line.recv(16)
        except OSError:
            return None
        return int(said) if said else None


def _mib(amount: int) -> str:
    return f"{amount // MIB} MiB"
