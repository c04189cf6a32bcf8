"""What the stages hand to one another: vectors as a space, its neighbour graph, and the groups found in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from shoald.domain.json_types import JsonObject

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Labels = npt.NDArray[np.int32]

Step = Callable[[float], None]
"""Progress of one stage: called often with the share done (0 to 1); what it raises ends the stage (that is cancel)."""


BLOCK_NUMBERS = 1 << 20
"""So many numbers of vectors are worked on at once where copies of them are made."""


def no_step(_fraction: float) -> None:
    """Ignore progress."""


def block_rows(width: int) -> int:
    """Return how many rows of so many columns are worked on at once."""
    return max(256, BLOCK_NUMBERS // max(1, width))


def row_slices(n: int, width: int) -> Iterator[slice]:
    """Cut n rows into blocks."""
    size = block_rows(width)
    return (slice(at, min(at + size, n)) for at in range(0, n, size))


def row_blocks(rows: Integers, width: int) -> Iterator[Integers]:
    """Cut ids of rows into blocks, so that what is made of them is never a copy of all vectors."""
    size = block_rows(width)
    return (rows[at : at + size] for at in range(0, len(rows), size))


@dataclass(frozen=True)
class Space:
    """Vectors that a stage works on.

    `vectors` is (n, d) float32, C-contiguous, finite. `name` says which space it is (`input`, `whitening`, `umap`, or
    a chain such as `whitening+umap`); `metric` is the natural one of it: `cosine` for the input and what keeps its
    meaning, `euclidean` for a layout. `steps` records what was really done, `warnings` what a reader should know.
    """

    vectors: Floats
    name: str = "input"
    metric: str = "cosine"
    steps: tuple[JsonObject, ...] = ()
    warnings: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """The content hash of the vectors, 32 hex digits: equal arrays have equal keys in every process."""
        digest = hashlib.blake2b(repr(self.vectors.shape).encode(), digest_size=16)
        digest.update(self.vectors.data)
        return digest.hexdigest()

    @property
    def is_layout(self) -> bool:
        """Whether the rows were laid out by UMAP or t-SNE."""
        return self.name.endswith(("umap", "tsne"))

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The nearest neighbours of every row, nearest first, the row itself in column 0.

    `ids` is (n, k) int32; `distances` is (n, k) float64, computed from the rows themselves and not from a float32
    product, ascending, ties by smaller id. `metric` is `euclidean` or `cosine` (1 - cosine, 0 to 2). `recall` is None
    where the graph is exact, else the share of a sample's true neighbours that stand in the lists.
    """

    ids: npt.NDArray[np.int32]
    distances: Doubles
    metric: str
    recall: float | None = None

    @property
    def k(self) -> int:
        """How many neighbours each row has, itself included."""
        return int(self.ids.shape[1])

    def nearest(self, k: int) -> Neighbours:
        """Return the same graph with only the first k columns; it is exact where this one is."""
        return Neighbours(self.ids[:, :k], self.distances[:, :k], self.metric, self.recall)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What an algorithm found.

    `labels` is (n,) int32: 0 is the largest group, then falling by size (ties: the group with the smaller first row);
    -1 is noise. `probabilities` is (n,) float32 in [0, 1]: how firmly the row belongs to its group, 0 for noise.
    `notes` are figures for the run's record (iterations, persistence …), `effective` the parameters as they were used.
    """

    labels: Labels
    probabilities: Floats
    effective: JsonObject
    notes: JsonObject = field(default_factory=dict[str, Any])
    warnings: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """The number of groups, noise not counted."""
        return int(self.labels.max(initial=-1)) + 1
