"""Runs the loaders in children: a file that crashes, stalls or fills the memory ends its child and nothing else."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shoald.adapters.parser_child.children import Children
from shoald.adapters.parser_child.limits import MIB, ParserLimits
from shoald.domain.failures import InvalidLoaderParams, UnsupportedLoader
from shoald.domain.identifiers import new_uuid
from shoald.domain.json_types import JsonObject
from shoald.domain.records.segment_set import SetItem

BATCH_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """A function, `module:name`, that takes (file, source, params, and these options) and yields segments."""

    function: str
    options: Mapping[str, Any] = field(default_factory=dict)


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

    def load(self, path: str, *, filename: str, loader_type: str, loader_params: JsonObject) -> Iterator[SetItem]:
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
        }
        return self._segments(path, loader_type, request)

    def close(self) -> None:
        """End what runs."""
        self._children.close()

    def _segments(self, path: str, loader_type: str, request: dict[str, Any]) -> Iterator[SetItem]:
        with Path(path).open("rb") as file:
            limits = self._limits
            request |= {
                "memory_bytes": limits.memory_bytes,
                "cpu_seconds": limits.cpu_seconds + Path(path).stat().st_size // MIB,
                "max_segments": limits.max_segments,
                "max_segment_bytes": limits.max_segment_bytes,
                "batch_bytes": BATCH_BYTES,
            }
            child = self._children.start(file.fileno(), request, limits)
            try:
                for position, item in enumerate(child.items()):
                    yield _segment(position, *item)
            except InvalidLoaderParams as failure:
                failure.detail.setdefault("loader_type", loader_type)
                raise
            finally:
                child.end()


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
