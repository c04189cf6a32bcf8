"""Runs the loaders in children: a file that crashes, stalls or fills the memory ends its child and nothing else."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
import subprocess  # the children are this module's purpose
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoald.adapters.parser_child.limits import MIB, ParserLimits
from shoald.domain.failures import InvalidLoaderParams, UnsupportedLoader
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SetItem

READ_BYTES = 256 * 1024
BATCH_BYTES = 64 * 1024
_CHILD = str(Path(__file__).with_name("child.py"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A function, `module:name`, that takes (file, source, params, and these options) and yields segments."""

    function: str
    options: Mapping[str, Any] = field(default_factory=dict)


class ParserChildLoader:
    """A `DocumentLoader` that runs the parser of each loader type in a child of its own."""

    def __init__(self, *, parsers: Mapping[str, Parser], limits: ParserLimits | None = None) -> None:
        self._parsers = dict(parsers)
        self._limits = limits or ParserLimits()
        self._path = _import_path()

    def load(self, path: str, *, filename: str, loader_type: str, loader_params: JsonObject) -> Iterator[SetItem]:
        """See the port; the child is gone when the iterator ends or is closed."""
        parser = self._parsers.get(loader_type.lower())
        if parser is None:
            raise UnsupportedLoader(
                f"Unsupported loader: {loader_type}",
                detail={"loader_type": loader_type},
                hint=f"Known loaders: {', '.join(sorted(self._parsers))}.",
            )
        request = {
            "parser": parser.function,
            "options": dict(parser.options),
            "source": filename,
            "params": dict(loader_params),
        }
        return self._segments(path, loader_type, request)

    def _segments(self, path: str, loader_type: str, request: dict[str, Any]) -> Iterator[SetItem]:
        with tempfile.TemporaryDirectory(prefix="shoal-parser-") as empty, Path(path).open("rb") as file:
            child = _Child(self._command(path, request), file.fileno(), empty, self._limits)
            try:
                for position, item in enumerate(child.items()):
                    yield _segment(position, *item)
            except InvalidLoaderParams as failure:
                failure.detail.setdefault("loader_type", loader_type)
                raise
            finally:
                child.end()

    def _command(self, path: str, request: dict[str, Any]) -> list[str]:
        limits = self._limits
        request |= {
            "parent": os.getpid(),
            "path": self._path,
            "max_segments": limits.max_segments,
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds + Path(path).stat().st_size // MIB,
            "max_segment_bytes": limits.max_segment_bytes,
            "batch_bytes": BATCH_BYTES,
        }
        # -I and -S: no environment, no site; the child is told where to import from
        return [sys.executable, "-I", "-S", "-B", _CHILD, json.dumps(request)]


def _import_path() -> list[str]:
    places = []
    for name in ("shoald", "jq", "charset_normalizer"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        file = Path(found.origin)
        places.append(str(file.parents[1] if file.name == "__init__.py" else file.parent))
    return list(dict.fromkeys(places))


def _segment(position: int, content: str, metadata: JsonObject, kind: str, original_format: str) -> SetItem:
    return SetItem(
        item_id=new_uuid(),
        position=position,
        content=content,
        metadata=metadata,
        parent_id=None,
        level=0,
        path=(),
        type=kind,
        original_format=original_format,
    )


class _Child:
    """One running child and the frames that come from it."""

    def __init__(self, command: list[str], file: int, cwd: str, limits: ParserLimits) -> None:
        self._limits = limits
        self._process = subprocess.Popen(
            command,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=cwd,
            env={},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._out = self._process.stdout.fileno()
        self._ready = select.poll()
        self._ready.register(self._out, select.POLLIN)
        self._buffer = bytearray()

    def items(self) -> Iterator[list[Any]]:
        """Yield what the parser gives; raises `InvalidLoaderParams` when it did not come to its end."""
        while True:
            frame = self._frame()
            if "problem" in frame:
                raise self._problem(frame)
            if "end" in frame:
                return
            yield from frame["items"]

    def end(self) -> None:
        """Leave nothing behind."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

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
        words = frame["words"]
        if frame["problem"] == "failed":
            return InvalidLoaderParams(f"the file could not be parsed: {words}")
        parameter = (
            words.removeprefix("loader_params.").split(" ", 1)[0] if words.startswith("loader_params.") else None
        )
        return InvalidLoaderParams(words, detail={"parameter": parameter} if parameter else None)

    def _death(self) -> InvalidLoaderParams:
        code = self._process.wait()
        if code == -signal.SIGALRM:
            return InvalidLoaderParams(
                "loader_params.jq_schema took too long to its next output", detail={"parameter": "jq_schema"}
            )
        if code in {-signal.SIGXCPU, -signal.SIGKILL}:
            return InvalidLoaderParams("the file took more processor time than its parser may use")
        return InvalidLoaderParams(
            f"the parser of the file ended early (code {code}); a damaged file, or one that needs more than "
            f"{_mib(self._limits.memory_bytes)} of memory, can cause this"
        )


def _mib(amount: int) -> str:
    return f"{amount // MIB} MiB"
