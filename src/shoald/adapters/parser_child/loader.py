"""Runs the loaders in children: a file that crashes, stalls or fills the memory ends its child and nothing else."""

from __future__ import annotations

import base64
import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoald.adapters.parser_child.child import PICTURE_FIELD
from shoald.adapters.parser_child.children import Children
from shoald.adapters.parser_child.limits import MIB, OUTPUT_PER_BYTE, ParserLimits
from shoald.application.ports.document_loader import KeepPicture
from shoald.domain.failures import InvalidLoaderParams, UnsupportedLoader
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SetItem

BATCH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A function, `module:name`, that takes (file, source, params, and these options) and yields segments.

    `clocked` is the parameter that holds a stranger's program or pattern, which runs under an alarm of its own.
    """

    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    clocked: str = ""


class ParserChildLoader:
    """A `DocumentLoader` that runs the parser of each loader type in a child of its own.

    `import_from` are folders of parsers outside Shoal.
    """

    def __init__(
        self,
        *,
        parsers: Mapping[str, Parser],
        limits: ParserLimits | None = None,
        import_from: Sequence[str] = (),
    ) -> None:
        self._parsers = dict(parsers)
        self._limits = limits or ParserLimits()
        modules = sorted({parser.function.partition(":")[0] for parser in parsers.values()})
        self._children = Children(path=[*import_from, *_import_path()], modules=modules)

    def load(
        self,
        path: str,
        *,
        filename: str,
        loader_type: str,
        loader_params: JsonObject,
        keep: KeepPicture | None = None,
    ) -> Iterator[SetItem]:
        """See the port; the child is gone soon after the iterator ends or is closed."""
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
            "clocked": parser.clocked,
        }
        return self._segments(path, loader_type, request, keep)

    def check(self, loader_type: str, loader_params: JsonObject) -> None:
        """See the port: parameters are read before the file, so that an empty one shows what is wrong with them."""
        segments = self.load(os.devnull, filename="", loader_type=loader_type, loader_params=loader_params)
        if not loader_params:
            return
        try:
            for _ in segments:
                pass
        except InvalidLoaderParams as failure:
            if "parameter" in failure.detail:
                raise

    def close(self) -> None:
        """End what runs."""
        self._children.close()

    def _segments(
        self, path: str, loader_type: str, request: dict[str, Any], keep: KeepPicture | None
    ) -> Iterator[SetItem]:
        with Path(path).open("rb") as file:
            child = self._children.start(file.fileno(), request | self._limited(path), self._limits)
            tree = _Tree()
            try:
                for item in child.items():
                    yield tree.segment(*_kept(item, keep))
            except InvalidLoaderParams as failure:
                failure.detail.setdefault("loader_type", loader_type)
                raise
            finally:
                child.end()

    def _limited(self, path: str) -> dict[str, Any]:
        limits, size = self._limits, Path(path).stat().st_size
        mib = size // MIB
        return {
            "memory_bytes": limits.memory_bytes,
            "cpu_seconds": limits.cpu_seconds + mib,
            "item_cpu_seconds": limits.item_cpu_seconds + mib / 8,
            "max_segments": limits.max_segments,
            "max_segment_bytes": limits.max_segment_bytes,
            "max_output_bytes": limits.max_output_bytes + OUTPUT_PER_BYTE * size,
            "batch_bytes": BATCH_BYTES,
        }


class _Tree:
    """Gives items their ids; knows those of the last item and of all above it, which are all that an item may name."""

    def __init__(self) -> None:
        self._next = 0
        self._above: list[tuple[int, str]] = []

    def segment(  # noqa: PLR0913, PLR0917 - the fields of an item as they come through the pipe
        self,
        content: str,
        metadata: JsonObject,
        kind: str,
        original_format: str,
        level: int = 0,
        path: Sequence[str] = (),
        parent: int | None = None,
    ) -> SetItem:
        while self._above and self._above[-1][0] != parent:
            self._above.pop()
        item = SetItem(
            item_id=new_uuid(),
            position=self._next,
            content=content,
            metadata=metadata,
            parent_id=self._above[-1][1] if self._above else None,
            level=level,
            path=tuple(path),
            type=kind,
            original_format=original_format,
        )
        self._above.append((item.position, item.item_id))
        self._next += 1
        return item


def _kept(item: list[Any], keep: KeepPicture | None) -> list[Any]:
    """Return the fields of an item without its picture, which is kept, and described in the metadata."""
    fields, picture = item[:PICTURE_FIELD], item[PICTURE_FIELD] if len(item) > PICTURE_FIELD else None
    if picture is not None and keep is not None:
        fields[1] = {**fields[1], **keep(base64.b64decode(picture["data"]), str(picture["mime"]))}
    return fields


def _import_path() -> list[str]:
    places = []
    for name in ("shoald", "jq", "charset_normalizer", "lxml", "pypdfium2", "pdfplumber", "python_calamine", "PIL"):
        found = importlib.util.find_spec(name)
        if found is None or found.origin is None:
            continue
        file = Path(found.origin)
        places.append(str(file.parents[1] if file.name == "__init__.py" else file.parent))
    return list(dict.fromkeys(places))
