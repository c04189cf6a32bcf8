"""Keeps what the expensive stages of a run made: arrays go in under the hash of their inputs, and come back mapped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.application.ports.staged_arrays import StagedArrays
from shoald.domain.clustering.spaces import Floats, Grouping, Neighbours, Space

_VERSION = "3"
"""Raised when a stage begins to give other results for the same input."""


def stage_key(*parts: Any) -> str:
    """Return the key of what a stage makes from these inputs."""
    text = json.dumps([_VERSION, *parts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def content_of(labels: npt.NDArray[Any]) -> str:
    """Return the hash of an array's values, 32 hex digits."""
    return hashlib.blake2b(labels.tobytes(), digest_size=16).hexdigest()


def _note(value: Any) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(value, default=str).encode(), dtype=np.uint8)


def _noted(array: Any) -> Any:
    return json.loads(np.asarray(array).tobytes())


class StagedStages:
    """The results of stages, by key; a scope of its own shares nothing with others."""

    def __init__(self, arrays: StagedArrays, *, scope: str = "") -> None:
        self._arrays = _Scoped(arrays, scope) if scope else arrays

    def space(self, key: str) -> Space | None:
        """Return preprocessed vectors."""
        kept = self._arrays.get(key)
        if kept is None:
            return None
        about = _noted(kept["about"])
        vectors = np.ascontiguousarray(kept["vectors"])
        return Space(vectors, about["name"], about["metric"], tuple(about["steps"]), tuple(about["warnings"]))

    def keep_space(self, key: str, space: Space) -> None:
        """Keep preprocessed vectors."""
        about = {"name": space.name, "metric": space.metric, "steps": space.steps, "warnings": space.warnings}
        self._arrays.put(key, {"vectors": space.vectors, "about": _note(about)})

    def grouping(self, key: str) -> Grouping | None:
        """Return what an algorithm found."""
        kept = self._arrays.get(key)
        if kept is None:
            return None
        about = _noted(kept["about"])
        return Grouping(
            labels=np.array(kept["labels"]),
            probabilities=np.array(kept["probabilities"]),
            effective=about["effective"],
            notes=about["notes"],
            warnings=tuple(about["warnings"]),
        )

    def keep_grouping(self, key: str, found: Grouping) -> None:
        """Keep what an algorithm found."""
        about = {"effective": found.effective, "notes": found.notes, "warnings": found.warnings}
        self._arrays.put(key, {"labels": found.labels, "probabilities": found.probabilities, "about": _note(about)})

    def arrays(self, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        """Return arrays by their names."""
        return self._arrays.get(key)

    def keep_arrays(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep arrays by their names."""
        self._arrays.put(key, arrays)

    def floats(self, key: str) -> Floats | None:
        """Return the places on a map."""
        kept = self._arrays.get(key)
        return None if kept is None else np.array(kept["values"])

    def keep_floats(self, key: str, values: Floats) -> None:
        """Keep the places on a map."""
        self._arrays.put(key, {"values": values})


class _Scoped:
    """`StagedArrays` under keys of its own."""

    def __init__(self, arrays: StagedArrays, scope: str) -> None:
        self._arrays = arrays
        self._scope = scope

    def get(self, key: str) -> Mapping[str, npt.NDArray[Any]] | None:
        return self._arrays.get(f"{self._scope}-{key}")

    def put(self, key: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._arrays.put(f"{self._scope}-{key}", arrays)


class StagedGraphs(MutableMapping[str, Neighbours]):
    """Neighbour graphs that outlive the run: kept in memory for it and as files for the next."""

    def __init__(self, arrays: StagedArrays) -> None:
        self._arrays = arrays
        self._here: dict[str, Neighbours] = {}

    def __getitem__(self, key: str) -> Neighbours:
        if key in self._here:
            return self._here[key]
        kept = self._arrays.get(f"graph-{key}")
        if kept is None:
            raise KeyError(key)
        metric = bytes(np.asarray(kept["metric"])).decode()
        recall = float(np.asarray(kept["recall"])) if "recall" in kept else None
        self._here[key] = Neighbours(np.asarray(kept["ids"]), np.asarray(kept["distances"]), metric, recall)
        return self._here[key]

    def __setitem__(self, key: str, graph: Neighbours) -> None:
        metric = np.frombuffer(graph.metric.encode(), dtype=np.uint8)
        arrays: dict[str, npt.NDArray[Any]] = {"ids": graph.ids, "distances": graph.distances, "metric": metric}
        if graph.recall is not None:
            arrays["recall"] = np.array(graph.recall)
        self._arrays.put(f"graph-{key}", arrays)
        # the one in memory goes with whoever made it, unless there was no room for a file
        self._here.pop(key, None)
        if key not in self:
            self._here[key] = graph

    def __delitem__(self, key: str) -> None:
        del self._here[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._here)

    def __len__(self) -> int:
        return len(self._here)
